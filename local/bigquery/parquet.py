"""Parquet files of a load job must fit its schema: BigQuery neither drops columns nor guesses types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
from local_bigquery.engine import types
from local_bigquery.engine.database import quote
from local_bigquery.jobs import load
from local_bigquery.jobs.storage import literal

INTEGERS = {
    *("tinyint", "smallint", "integer", "bigint", "hugeint"),
    *("utinyint", "usmallint", "uinteger", "ubigint"),
}
MOMENTS = {"timestamp with time zone", "timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"}
TEXTS = {"varchar", "json", "enum", "uuid"}
READABLE: dict[str, set[str]] = {
    "STRING": TEXTS | {"blob"},
    "BYTES": {"blob", "varchar"},
    "INTEGER": INTEGERS,
    "FLOAT": INTEGERS | {"float", "double"},
    "NUMERIC": INTEGERS | {"decimal"},
    "BIGNUMERIC": INTEGERS | {"decimal"},
    "BOOLEAN": {"boolean"},
    "TIMESTAMP": MOMENTS,
    "DATETIME": MOMENTS,
    "DATE": {"date"},
    "TIME": {"time", "time with time zone"},
    "JSON": TEXTS,
    "GEOGRAPHY": {"varchar", "blob", "geometry"},
}
"""BigQuery type to the DuckDB types of the Parquet columns that BigQuery reads into it."""
SHORT = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN", "BIGDECIMAL": "BIGNUMERIC"}


class Unfit(ValueError):  # noqa: N818 - load jobs turn a ValueError into an error that names the object
    """A file's column does not fit the schema's field."""


def kind(field: Any) -> str:
    """Return a field's type under one of its names: INTEGER, not INT64; RECORD, not STRUCT."""
    name = (field.type or "STRING").upper()
    return "RECORD" if name == "STRUCT" else SHORT.get(name, name)


def fit_all(fields: list[Any], columns: dict[str, Any], path: str, lists: bool) -> None:
    """Check the columns of a file, or of a record in it, against the schema's fields.

    Args:
        fields: the schema's fields.
        columns: DuckDB types by the file's column names.
        path: the enclosing record's path with a dot behind it, or nothing.
        lists: whether the job asks for list inference.

    Raises:
        Unfit: a column is missing, unknown or of another type.
    """
    present = {name.casefold(): column for name, column in columns.items()}
    wanted = {field.name.casefold() for field in fields}
    for name in columns:
        if name.casefold() not in wanted:
            raise Unfit(f"Cannot add fields (field: {path}{name})")
    for field in fields:
        column = present.get(field.name.casefold())
        if column is None and field.mode == "REQUIRED":
            raise Unfit(f"Field {path}{field.name} is REQUIRED in the schema and missing in the file")
        if column is not None:
            fit(field, column, path, lists)


def fit(field: Any, column: Any, path: str, lists: bool) -> None:
    """Check one column against one field; arguments and errors as in fit_all."""
    name = f"{path}{field.name}"
    repeated = field.mode == "REPEATED"
    if repeated != (column.id in ("list", "array")):
        modes = ("REPEATED", "NULLABLE") if repeated else ("NULLABLE", "REPEATED")
        raise Unfit(
            f"Field '{name}' is specified as {modes[0]} in provided schema which does not match "
            f"{modes[1]} as specified in the file."
        )
    if repeated and not lists:
        raise Unfit(
            f"Field '{name}' is specified as REPEATED in provided schema which does not match NULLABLE as "
            "specified in the file. (A Parquet LIST is a record unless the job sets "
            "parquetOptions.enableListInference.)"
        )
    element = column.children[0][1] if repeated else column
    if kind(field) == "RECORD":
        if element.id != "struct":
            raise Unfit(mismatch(name, element, "RECORD"))
        fit_all(field.fields or [], dict(element.children), f"{name}.", lists)
    elif element.id not in READABLE.get(kind(field), {element.id}):
        raise Unfit(mismatch(name, element, kind(field)))


def mismatch(name: str, column: Any, wanted: str) -> str:
    """Word BigQuery's complaint about a column of another type."""
    return f"Parquet column '{name}' has type {column} which does not match the target cpp_type {wanted}"


def columns_of(cursor: duckdb.DuckDBPyConnection, reader: str) -> dict[str, Any]:
    """Return the column types of a DuckDB table function by name."""
    relation = cursor.sql(f"SELECT * FROM {reader} LIMIT 0")
    return dict(zip(relation.columns, relation.types, strict=True))


def converted(expression: str, field: Any, column: Any, depth: int = 0) -> str:
    """Write the conversion of one column to its field's type, records by field name.

    Args:
        expression: DuckDB SQL of the column.
        field: the schema's field.
        column: the column's DuckDB type, or None where the file has no such column.
        depth: how many lists enclose the expression.

    Returns:
        DuckDB SQL.
    """
    target = types.duckdb_type(field)
    if column is None:
        return f"CAST(NULL AS {target})"
    if field.mode == "REPEATED":
        element = converted(f"e{depth}", field.replace(mode="NULLABLE"), column.children[0][1], depth + 1)
        return f"CAST(list_transform({expression}, e{depth} -> {element}) AS {target})"
    if kind(field) == "RECORD":
        present = {name.casefold(): (name, child) for name, child in column.children}
        parts = []
        for part in field.fields or []:
            name, child = present.get(part.name.casefold(), (part.name, None))
            parts.append(
                f"{quote(part.name)} := {converted(f'{expression}.{quote(name)}', part, child, depth)}"
            )
        return f"CASE WHEN {expression} IS NOT NULL THEN struct_pack({', '.join(parts)}) END"
    return f"CAST({expression} AS {target})"


def projections(fields: list[Any], columns: dict[str, Any]) -> Iterator[str]:
    """Yield one converted column for every field of the schema, in its order."""
    present = {name.casefold(): (name, column) for name, column in columns.items()}
    for field in fields:
        name, column = present.get(field.name.casefold(), (field.name, None))
        yield f"{converted(quote(name), field, column)} AS {quote(field.name)}"


def is_typed(config: Any, fields: list[Any]) -> bool:
    """Tell whether a job loads Parquet with a schema, the case this module handles."""
    return config.sourceFormat == "PARQUET" and bool(fields) and not config.hivePartitioningOptions


def fitted_reader(reader: Callable[..., str]) -> Callable[..., str]:
    """Read Parquet files one schema for all: absent NULLABLE columns are NULL, everything else must fit."""

    def run(cursor: Any, files: str, config: Any, fields: list[Any]) -> str:
        if not is_typed(config, fields):
            return reader(cursor, files, config, fields)
        lists = bool(config.parquetOptions and config.parquetOptions.enableListInference)
        for (path,) in cursor.sql(f"SELECT unnest({files})").fetchall():
            columns = columns_of(cursor, f"read_parquet({literal(path)})")
            kept = {f.name.casefold() for f in fields}
            if config.ignoreUnknownValues:
                columns = {name: column for name, column in columns.items() if name.casefold() in kept}
            try:
                fit_all(fields, columns, "", lists)
            except Unfit as problem:
                raise Unfit(
                    f'Provided schema is not compatible with the file. {problem} in file "{path}"'
                ) from None
        source = f"read_parquet({files}, union_by_name = true)"
        return f"(SELECT {', '.join(projections(fields, columns_of(cursor, source)))} FROM {source})"

    return run


def fitted_projection(projection: Callable[..., Any]) -> Callable[..., Any]:
    """Take the converted columns as they are; local-bigquery would decode BYTES from base64 again."""

    def run(config: Any, fields: list[Any], columns: list[str]) -> Any:
        if is_typed(config, fields):
            return ", ".join(quote(field.name) for field in fields), "false"
        return projection(config, fields, columns)

    return run


def apply() -> None:
    """Install the Parquet checks."""
    load._reader = fitted_reader(load._reader)
    load._projection = fitted_projection(load._projection)
