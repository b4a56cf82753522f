"""What a partition's data says about its schema: fields that are new, of another type, or gone. Pure.

Fields are those of schema files, as mappings of `name`, `type`, `mode`, `fields` and `source_path`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SchemaFields = Sequence[Mapping[str, Any]]
SHOWN = 10  # fields in a notice
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_LEGAL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")
_FITS: dict[str, Callable[[Any], bool]] = {
    "STRING": lambda v: isinstance(v, str),
    "BYTES": lambda v: isinstance(v, str),
    "BOOL": lambda v: isinstance(v, bool),
    "INT64": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "FLOAT64": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "NUMERIC": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "TIMESTAMP": lambda v: isinstance(v, str) and bool(_TIMESTAMP.fullmatch(v) or _DATE.fullmatch(v)),
    "DATE": lambda v: isinstance(v, str) and bool(_DATE.fullmatch(v)),
    "JSON": lambda v: True,
    "RECORD": lambda v: isinstance(v, dict),
}
_GUESSED = ("BOOL", "INT64", "FLOAT64", "DATE", "TIMESTAMP", "STRING")  # the first that takes every value


@dataclass(frozen=True, slots=True)
class Drift:
    """What of a partition's lines does not fit its schema; paths are dotted, rows are counted.

    Args:
        unknown: Rows by field that the schema does not name.
        retyped: Quarantined lines by column whose values have another type.
        missing: Quarantined lines by REQUIRED column that they lack.
        values: Some values by path, of unknown fields and retyped columns.
    """

    unknown: Mapping[str, int] = field(default_factory=dict)
    retyped: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.unknown or self.retyped or self.missing)


def accepting(drift: Drift, versions: Sequence[tuple[str, SchemaFields]]) -> str | None:
    """The first version that would accept all of the data, None when none would.

    Args:
        drift: What does not fit.
        versions: Version and fields of the schemas to try, in order.
    """
    return next((version for version, fields in versions if _accepts(drift, fields)), None)


def _accepts(drift: Drift, fields: SchemaFields) -> bool:
    keys = {key: item for _, key, item in _paths(fields)}
    columns = {own: item for own, _, item in _paths(fields)}
    needed = [(keys.get(path), path) for path in drift.unknown]
    needed += [(columns.get(path), path) for path in drift.retyped]
    if not all(item and _takes(item, drift.values.get(path, ())) for item, path in needed):
        return False
    return all(columns.get(path, {}).get("mode") != "REQUIRED" for path in drift.missing)


def _paths(
    fields: SchemaFields, column: str = "", data: str = ""
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every field with the dotted path of its columns and that of its keys in the data."""
    for item in fields:
        own, key = f"{column}{item['name']}", f"{data}{item.get('source_path') or item['name']}"
        yield own, key, item
        yield from _paths(item.get("fields") or (), f"{own}.", f"{key}.")


def data_path(fields: SchemaFields, column: str) -> str:
    """Where the data has a column's values: its dotted path with the keys of the data.

    Args:
        fields: The schema's fields.
        column: The column's dotted path.
    """
    return next((key for own, key, _ in _paths(fields) if own == column), column)


def _takes(item: Mapping[str, Any], values: Sequence[Any]) -> bool:
    fits = _FITS[item["type"]]
    if item.get("mode") != "REPEATED":
        return all(value is None or fits(value) for value in values)
    return all(value is None or (isinstance(value, list) and all(map(fits, value))) for value in values)


def addition(path: str, values: Sequence[Any]) -> dict[str, Any]:
    """The field to add to a schema file so that it takes an unknown field's values.

    Args:
        path: The dotted path; the field is named after its last key.
        values: Some of its values.
    """
    key = path.rsplit(".", 1)[-1]
    name = key if _LEGAL.fullmatch(key) else "".join(c if c.isalnum() and c.isascii() else "_" for c in key)
    name = name if _LEGAL.fullmatch(name) else f"_{name}"
    return {"name": name, **_shape(values), **({} if name == key else {"source_path": key})}


def _shape(values: Sequence[Any]) -> dict[str, Any]:
    """Type, mode and fields for some values; JSON where nothing narrower takes them all."""
    some = [value for value in values if value is not None]
    if some and all(isinstance(value, list) for value in some):
        items = _shape([item for value in some for item in value])
        nested = any(item is None or isinstance(item, list) for value in some for item in value)
        return {"type": "JSON"} if nested or items["type"] == "JSON" else {**items, "mode": "REPEATED"}
    if some and all(isinstance(value, dict) and value for value in some):
        return _record(some)
    return {"type": next((t for t in _GUESSED if some and all(map(_FITS[t], some))), "JSON")}


def _record(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    keys = dict.fromkeys(key for value in values for key in value)
    fields = [addition(key, [v.get(key) for v in values]) for key in keys]
    # BigQuery ignores case, and a key that is empty or has a dot cannot be named.
    if len({f["name"].lower() for f in fields}) < len(fields) or not all(
        key and "." not in key for key in keys
    ):
        return {"type": "JSON"}
    return {"type": "RECORD", "fields": fields}


def values_at(document: Any, path: str) -> Iterator[Any]:
    """The values at a dotted path of a JSON document; lists on the way are walked through.

    Args:
        document: Objects, lists and scalars.
        path: Keys, joined by dots.
    """
    key, _, rest = path.partition(".")
    for item in document if isinstance(document, list) else [document]:
        if isinstance(item, dict) and key in item:
            if rest:
                yield from values_at(item[key], rest)
            else:
                yield item[key]


def notice(drift: Drift, version: str, accepted_by: str | None) -> list[str]:
    """What to tell people: one sentence for each field, and how the data would be accepted.

    Args:
        drift: What does not fit.
        version: The schema's version.
        accepted_by: The later version that would accept the data, if there is one.
    """
    told = [
        f"field {path} is not in schema {version}: in {rows} rows, kept in unknown_fields{_such(drift, path)}"
        for path, rows in drift.unknown.items()
    ]
    told += [
        f"field {path} has values of another type than schema {version} says: {rows} lines are quarantined as "
        f"wrong_type{_such(drift, path)}"
        for path, rows in drift.retyped.items()
    ]
    told += [
        f"field {path} is REQUIRED in schema {version} and missing: {rows} lines are quarantined as missing_required"
        for path, rows in drift.missing.items()
    ]
    more = [f"and {len(told) - SHOWN} more fields"] if len(told) > SHOWN else []
    return [*told[:SHOWN], *more, *list(_remedies(drift, accepted_by))[:SHOWN]]


def _such(drift: Drift, path: str) -> str:
    values = drift.values.get(path)
    return f", such as {json.dumps(values[0], ensure_ascii=False)[:80]}" if values else ""


def _remedies(drift: Drift, accepted_by: str | None) -> Iterator[str]:
    if accepted_by is not None:
        yield f"schema {accepted_by} accepts this data: let schema.file name it, then run the partition again"
        return
    yield "no later schema version accepts this data"
    for path in drift.unknown:
        parent = path.rpartition(".")[0]
        place = f"the fields of {parent}" if parent else "fields"
        field_ = addition(path, drift.values.get(path, ()))
        yield f"to name {path}, add to {place} in a new version: {json.dumps(field_, ensure_ascii=False)}"
    for path in drift.retyped:
        shape = {k: v for k, v in addition(path, drift.values.get(path, ())).items() if k in ("type", "mode")}
        # A column keeps its type for good, so that the new values need a column of their own.
        yield (
            f"{path} now looks like {json.dumps(shape)}, but a column keeps its type: give the new values a new field, "
            "or repair and replay the lines"
        )
    for path in drift.missing:
        yield f'to accept lines without {path}, write "mode": "NULLABLE" at it in a new version'
