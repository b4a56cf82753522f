"""The schema as the data has it: under the data's own names and nesting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hg_spec import Field, RefineError

RECORD = "RECORD"


def data_fields(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    """The fields to parse, each where its source path says it is.

    Args:
        fields: the schema's fields.

    Returns:
        The same fields when none has a source path. Otherwise records lead to the values, merged where two
        source paths begin alike.

    Raises:
        RefineError: two fields read the same place.
    """
    return _placed(fields, "")


def _placed(fields: tuple[Field, ...], at: str) -> tuple[Field, ...]:
    found: dict[str, Field] = {}
    for field in fields:
        name = field.source[0]
        inner = _placed(field.fields, f"{at}{field.name}.")
        new = replace(field, name=field.source[-1], fields=inner, path=())
        for outer in reversed(field.source[:-1]):
            new = Field(outer, RECORD, "NULLABLE", (new,))
        found[name] = _together(found[name], new, f"{at}{name}") if name in found else new
    _differ(found, at)
    return tuple(found.values())


def _together(one: Field, other: Field, at: str) -> Field:
    if not (one.fields and other.fields) or one.repeated or other.repeated:
        raise RefineError(
            f"two fields of the schema read {at} in the data: give one of them another source_path in the schema "
            "file, or make them one RECORD"
        )
    found = {f.name: f for f in one.fields}
    for field in other.fields:
        known = found.get(field.name)
        found[field.name] = _together(known, field, f"{at}.{field.name}") if known else field
    _differ(found, at)
    return replace(one, fields=tuple(found.values()))


def _differ(found: dict[str, Field], at: str) -> None:
    """Spark does not tell names apart by case, so it could not say which value is which."""
    names: dict[str, str] = {}
    for name in found:
        if names.setdefault(name.lower(), name) != name:
            raise RefineError(
                f"the schema reads both {names[name.lower()]} and {name} in the data{f' at {at}' if at else ''}: "
                "they differ only by case, so keep one of them"
            )


def names(fields: tuple[Field, ...]) -> dict[tuple[str, ...], str]:
    """The dotted name of every field by its path in the data."""
    return dict(_names(fields, (), ""))


def _names(
    fields: tuple[Field, ...], path: tuple[str, ...], name: str
) -> Iterator[tuple[tuple[str, ...], str]]:
    for field in fields:
        inside = path + field.source
        yield inside, name + field.name
        yield from _names(field.fields, inside, f"{name}{field.name}.")
