"""What silver must not hold in plain: hashed, masked or left out as the rows are written."""

from __future__ import annotations

from collections.abc import Iterator

from hg_schema import ddl, is_record, spark_type
from hg_spec import Field, RefineError, Spec
from hg_sql import quoted

METHODS = ("hash", "mask", "drop")


def check(spec: Spec) -> None:
    """Refuse what cannot be done.

    Raises:
        RefineError: a field is not a column, a method is unknown, or hash or mask is asked of other than a STRING.
    """
    kinds = dict(_kinds(_columns(spec), ""))
    for item in spec.pii:
        where = f"source {spec.source}, pii {item.method} of {item.field}"
        if item.method not in METHODS:
            raise RefineError(
                f"{where}: the method is none of {', '.join(METHODS)}; correct it in the source's YAML"
            )
        if item.field not in kinds:
            raise RefineError(
                f"{where}: schema {spec.schema_version} and the enrichments have no such field; correct it in the "
                "source's YAML"
            )
        if item.method != "drop" and kinds[item.field] != "STRING":
            raise RefineError(
                f"{where}: the field is {kinds[item.field]}, and only a STRING can be hashed or masked; use drop"
            )


def columns(spec: Spec) -> dict[str, str]:
    """SQL of every column of the schema and the enrichments as silver holds it, by name."""
    methods = {item.field: item.method for item in spec.pii}
    return {f.name: _shown(f, quoted(f.name), f.name, methods, 0) for f in _columns(spec)}


def _columns(spec: Spec) -> tuple[Field, ...]:
    return (*spec.fields, *(Field(e.name, e.type.upper(), "NULLABLE") for e in spec.enrichment))


def _kinds(fields: tuple[Field, ...], at: str) -> Iterator[tuple[str, str]]:
    for field in fields:
        yield at + field.name, field.type
        yield from _kinds(field.fields, f"{at}{field.name}.")


def _shown(field: Field, here: str, path: str, methods: dict[str, str], lists: int) -> str:
    """SQL for a value that is at `here`, below `lists` lists."""
    method = methods.get(path)
    if method == "drop":
        return f"CAST(NULL AS {ddl(spark_type(field))})"
    if not method and not any(name.startswith(f"{path}.") for name in methods):
        return here
    item, inner = (f"x{lists}", lists + 1) if field.repeated else (here, lists)
    shown = _record(field, item, path, methods, inner) if is_record(field) else _text(item, str(method))
    return f"transform({here}, {item} -> {shown})" if field.repeated else shown


def _record(field: Field, here: str, path: str, methods: dict[str, str], lists: int) -> str:
    parts = ", ".join(
        f"{_shown(f, f'{here}.{quoted(f.name)}', f'{path}.{f.name}', methods, lists)} AS {quoted(f.name)}"
        for f in field.fields
    )
    return f"CASE WHEN {here} IS NOT NULL THEN struct({parts}) END"


def _text(here: str, method: str) -> str:
    if method == "hash":
        return f"sha2({here}, 256)"
    address = f"{here} RLIKE '^[^@\\\\s]+@[^@\\\\s]+$'"
    return (
        f"CASE WHEN {here} IS NULL THEN NULL WHEN {address} THEN concat('***@', substring_index({here}, '@', -1)) "
        "ELSE '***' END"
    )
