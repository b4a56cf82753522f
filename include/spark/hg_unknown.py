"""Which fields of a line the schema does not name, as SQL.

Spark's parser drops them without a word. The top level's keys come from json_object_keys. The keys inside
RECORDs come from one more parse per level of nesting, in which the records of that level are maps.
"""

from __future__ import annotations

from collections.abc import Iterator

from hg_schema import is_record
from hg_spec import Field
from hg_sql import VALUE, from_json, literal, quoted


def level_columns(fields: tuple[Field, ...]) -> dict[str, str]:
    """The helper columns that `paths` refers to: SQL by name, one per level of nested records."""
    return {
        _column(depth): f"CASE WHEN __hg_fits THEN {from_json(VALUE, _ddl(fields, depth))} END"
        for depth in range(1, _depth(fields) + 1)
    }


def paths(fields: tuple[Field, ...]) -> str:
    """SQL for the sorted, distinct dotted paths of the fields without a name in the schema; NULL when none."""
    found = [f"array_except(json_object_keys({VALUE}), {_names(fields)})"]
    for depth in range(1, _depth(fields) + 1):
        found += list(_nested(fields, depth, _column(depth), "", 0))
    everything = found[0] if len(found) == 1 else f"concat({', '.join(found)})"
    return f"CASE WHEN __hg_fits THEN nullif(array_sort({everything}), CAST(array() AS array<string>)) END"


def _column(depth: int) -> str:
    return f"__hg_level{depth}"


def _names(fields: tuple[Field, ...]) -> str:
    return f"array({', '.join(literal(f.name) for f in fields)})"


def _depth(fields: tuple[Field, ...]) -> int:
    return max((1 + _depth(f.fields) for f in fields if is_record(f)), default=0)


def _ddl(fields: tuple[Field, ...], depth: int) -> str:
    """The type in which every record at `depth` is a map and only what leads there is named."""
    parts = []
    for field in _leading(fields, depth):
        inner = "map<string,string>" if depth == 1 else _ddl(field.fields, depth - 1)
        parts.append(f"{quoted(field.name)}:{f'array<{inner}>' if field.repeated else inner}")
    return f"struct<{','.join(parts)}>"


def _leading(fields: tuple[Field, ...], depth: int) -> list[Field]:
    """The records at this level below which there are records `depth` levels deep."""
    return [f for f in fields if is_record(f) and _depth(f.fields) >= depth - 1]


def _nested(fields: tuple[Field, ...], depth: int, at: str, path: str, lists: int) -> Iterator[str]:
    for field in _leading(fields, depth):
        here, name = f"{at}.{quoted(field.name)}", f"{path}{field.name}."
        item = f"x{lists}" if field.repeated else here
        inner = lists + 1 if field.repeated else lists
        if depth == 1:
            found = iter([_unnamed(item, field.fields, name, inner)])
        else:
            found = _nested(field.fields, depth - 1, item, name, inner)
        for keys in found:
            if field.repeated:
                yield f"array_distinct(coalesce(flatten(transform({here}, {item} -> {keys})), array()))"
            else:
                yield keys


def _unnamed(record: str, fields: tuple[Field, ...], path: str, lists: int) -> str:
    keys = f"array_except(map_keys({record}), {_names(fields)})"
    return f"coalesce(transform({keys}, k{lists} -> concat({literal(path)}, k{lists})), array())"
