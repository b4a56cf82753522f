"""Writes into existing tables keep what the job does not name; new tables get the schema the job gives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from local_bigquery.catalog import metadata, names, tables
from local_bigquery.engine import database, results, types
from local_bigquery.errors import BigQueryError, already_exists
from local_bigquery.jobs import load, runner
from local_bigquery.models import Table

from local.bigquery.partitions import Reference, split, transaction

LAYOUT = ("timePartitioning", "rangePartitioning", "clustering")


def specification(partitioning: Any) -> str:
    """Write a time partitioning as BigQuery's messages do."""
    return f"interval(type:{(partitioning.type or 'DAY').lower()},field:{partitioning.field or ''})"


def same_partitioning(write: Callable[..., bool]) -> Callable[..., bool]:
    """Refuse a job whose partitioning differs from its table's, and keep the table's expiration otherwise."""

    def run(
        cursor: Any, query: str, params: Any, reference: Reference, config: Any, *args: Any, **kwargs: Any
    ) -> bool:
        wanted = getattr(config, "timePartitioning", None)
        stored = metadata.load(Table, *split(reference)[0]) if wanted else None
        if stored and stored.timePartitioning:
            given, kept = specification(wanted), specification(stored.timePartitioning)
            if given != kept:
                raise BigQueryError(
                    "invalid",
                    "Incompatible table partitioning specification. "
                    f"Expects partitioning specification {kept}, "
                    f"but input partitioning specification is {given}",
                )
            config = config.without("timePartitioning")
        return write(cursor, query, params, reference, config, *args, **kwargs)

    return run


def has_columns(cursor: Any, query: str, params: Any, reference: Reference) -> bool:
    """Tell whether a query's columns are a table's columns, in name and type."""
    incoming = cursor.sql(query, params=params)
    with database.cursor() as reader:
        table = reader.sql(f"SELECT * FROM {tables.name(*reference)} LIMIT 0")
        return [(n, types.normalised(t)) for n, t in zip(incoming.columns, incoming.types, strict=True)] == [
            (n, types.normalised(t)) for n, t in zip(table.columns, table.types, strict=True)
        ]


def replacing_write(write: Callable[..., bool]) -> Callable[..., bool]:
    """Replace the rows of a table with the same columns, so that REQUIRED columns stay REQUIRED."""

    def run(
        cursor: Any,
        query: str,
        params: Any,
        reference: Reference,
        config: Any,
        default: str = "WRITE_EMPTY",
        prefix: str = "Invalid schema update. ",
        isolated: bool = False,
    ) -> bool:
        disposition = config.writeDisposition or default
        replaces = disposition != "WRITE_APPEND" and reference[1] != tables.RESULTS
        with database.writing(*reference):
            fits = replaces and database.objects(*reference) and has_columns(cursor, query, params, reference)
            if not fits:
                return write(cursor, query, params, reference, config, default, prefix, isolated)
            changes = tables.layout(cursor.sql(query, params=params).columns, config, disposition)
            name = tables.name(*reference)
            if disposition == "WRITE_EMPTY" and database.fetch(f"SELECT 1 FROM {name} LIMIT 1"):
                raise already_exists("Table", names.label(*reference))
            with (
                database.cursor() if isolated else contextlib.nullcontext(cursor) as writer,
                transaction(writer),
            ):
                writer.execute(f"DELETE FROM {name}")
                results.materialise(cursor, query, name, params, True, writer if isolated else None)
            tables.annotate(reference, changes)
            return False

    return run


def new_table(config: Any, reference: Reference) -> Table:
    """Describe the table that a load job creates: its schema, its layout and its properties."""
    given = config.dump()
    body = {key: given[key] for key in ("schema", *LAYOUT) if key in given}
    properties = given.get("destinationTableProperties", {})
    return Table.model_validate(body | properties | {"tableReference": {"tableId": reference[2]}})


def declared_schema(run_load: Callable[..., Any]) -> Callable[..., Any]:
    """Create a load's table with the job's schema, REQUIRED and descriptions included."""

    def run(cursor: Any, config: Any, upload: str | None) -> Any:
        reference = tables.reference(config.destinationTable)
        fields = config.schema_ and config.schema_.fields
        if (
            not fields
            or split(reference)[1] is not None
            or config.createDisposition == "CREATE_NEVER"
            or tables.exists(*reference)
        ):
            return run_load(cursor, config, upload)
        tables.layout([field.name for field in fields], config, "WRITE_APPEND")
        with database.writing(*reference):
            created = not tables.exists(*reference)
            if created:
                tables.create(*reference[:2], new_table(config, reference), None)
        try:
            return run_load(cursor, config, upload)
        except Exception:
            if created and int(tables.load(*reference).numRows) == 0:
                tables.delete(*reference)
            raise

    return run


def apply() -> None:
    """Install the write repairs."""
    tables.write = same_partitioning(replacing_write(tables.write))
    load.run = runner.HANDLERS["load"] = declared_schema(load.run)
