"""Partition decorators: `table$2021072106` names one partition, in every API that takes a table."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import duckdb
from local_bigquery.catalog import names, tabledata, tables
from local_bigquery.engine import database, results
from local_bigquery.errors import BigQueryError, already_exists, not_found
from local_bigquery.models import Table

from local.bigquery.partitions import Partition, Reference, partition_counts, partition_of, split, transaction

SUMMARY = "__PARTITIONS_SUMMARY__"
SUMMARY_COLUMNS = {
    "project_id": "STRING",
    "dataset_id": "STRING",
    "table_id": "STRING",
    "partition_id": "STRING",
    "creation_time": "INTEGER",
    "last_modified_time": "INTEGER",
}


def guarded(query: str, partition: Partition) -> str:
    """Let a query fail on the first row that is not of the partition, as BigQuery's writes do."""
    _, dataset, table = partition.table
    message = (
        "Some rows belong to different partitions rather than destination partition "
        f"{dataset}.{table}${partition.id}"
    )
    text = message.replace("'", "''")
    return (
        f"SELECT * FROM ({query}) AS incoming "
        f"WHERE CASE WHEN {partition.predicate} THEN true ELSE error('{text}') END"
    )


def write_partition(
    cursor: duckdb.DuckDBPyConnection,
    query: str,
    params: dict[str, Any] | None,
    partition: Partition,
    config: Any,
    disposition: str,
    prefix: str,
    isolated: bool,
) -> None:
    """Write a query's rows into one partition; WRITE_TRUNCATE replaces exactly that partition.

    Args:
        cursor: reads the query.
        query: DuckDB SQL.
        params: the query's parameters.
        partition: where the rows go.
        config: the job's configuration.
        disposition: WRITE_TRUNCATE, WRITE_APPEND or WRITE_EMPTY.
        prefix: how a message about a different schema begins.
        isolated: True when the cursor is inside a script or session and another must write.

    Raises:
        BigQueryError: duplicate where WRITE_EMPTY finds rows, invalid for rows of other partitions.
    """
    relation = cursor.sql(query, params=params)
    with (
        database.writing(*partition.table),
        database.cursor() if isolated else contextlib.nullcontext(cursor) as writer,
    ):
        if disposition == "WRITE_EMPTY" and partition.count():
            raise already_exists("Table", partition.label)
        options = getattr(config, "schemaUpdateOptions", None)
        tables.evolve(writer, partition.table, relation, options, prefix)
        try:
            with transaction(writer):
                if disposition == "WRITE_TRUNCATE":
                    writer.execute(f"DELETE FROM {partition.name} WHERE {partition.predicate}")
                results.materialise(
                    cursor,
                    guarded(query, partition),
                    partition.name,
                    params,
                    True,
                    writer if isolated else None,
                )
        except duckdb.Error as error:
            _, found, message = str(error).partition("Some rows belong")
            if not found:
                raise
            raise BigQueryError("invalid", (found + message).split("\n")[0]) from None


def create_for(
    cursor: duckdb.DuckDBPyConnection, query: str, params: Any, table: Reference, layout: Table
) -> None:
    """Create the partitioned table a decorated write names, as BigQuery does unless CREATE_NEVER."""
    if layout.timePartitioning is None and layout.rangePartitioning is None:
        raise BigQueryError(
            "invalid",
            f"Table {names.label(*table)} does not exist, and the job has no timePartitioning for it.",
        )
    results.materialise(cursor, f"SELECT * FROM ({query}) AS shape LIMIT 0", tables.name(*table), params)
    tables.annotate(table, layout)


def decorated_write(write: Callable[..., bool]) -> Callable[..., bool]:
    """Let load, query and copy jobs write into `table$partition`."""

    def run(
        cursor: duckdb.DuckDBPyConnection,
        query: str,
        params: dict[str, Any] | None,
        reference: Reference,
        config: Any,
        default: str = "WRITE_EMPTY",
        prefix: str = "Invalid schema update. ",
        isolated: bool = False,
    ) -> bool:
        table, partition = split(reference)
        if partition is None:
            return write(cursor, query, params, reference, config, default, prefix, isolated)
        disposition = config.writeDisposition or default
        with database.writing(*table):
            created = not tables.exists(*table)
            if created:
                if config.createDisposition == "CREATE_NEVER":
                    raise not_found("Table", names.label(*table))
                columns = cursor.sql(query, params=params).columns
                create_for(cursor, query, params, table, tables.layout(columns, config, "WRITE_APPEND"))
            target = partition_of(table, partition)
            write_partition(cursor, query, params, target, config, disposition, prefix, isolated)
        return created

    return run


def summary_resource(table: Reference, resource: Table) -> Table:
    """Describe `table$__PARTITIONS_SUMMARY__`, the table that list_partitions reads."""
    fields = [{"name": name, "type": kind, "mode": "NULLABLE"} for name, kind in SUMMARY_COLUMNS.items()]
    rows = len(partition_counts(table, resource))
    identity = decorated_identity(table, SUMMARY)
    return Table.model_validate(
        resource.without(
            "timePartitioning", "rangePartitioning", "clustering", "requirePartitionFilter"
        ).dump()
        | identity
        | {"schema": {"fields": fields}, "numRows": str(rows)}
    )


def decorated_identity(table: Reference, partition: str) -> dict[str, Any]:
    """Return the id and reference of a decorated table resource."""
    project, dataset, name = table
    return {
        "id": f"{names.label(*table)}${partition}",
        "tableReference": {"projectId": project, "datasetId": dataset, "tableId": f"{name}${partition}"},
    }


def decorated_get(load: Callable[..., Table]) -> Callable[..., Table]:
    """Answer tables.get of `table$partition` with the table's resource and the partition's row count."""

    def run(project_id: str, dataset_id: str, table_id: str) -> Table:
        table, partition = split((project_id, dataset_id, table_id))
        resource = load(*table)
        if partition is None:
            return resource
        if partition == SUMMARY:
            return summary_resource(table, resource)
        rows = partition_of(table, partition).count()
        size = str(tables.logical_bytes(rows, len(tables.fields(resource))))
        return resource.replace(**decorated_identity(table, partition), numRows=str(rows), numBytes=size)

    return run


def decorated_delete(delete: Callable[..., None]) -> Callable[..., None]:
    """Let tables.delete of `table$partition` remove that partition and nothing else."""

    def run(project_id: str, dataset_id: str, table_id: str) -> None:
        table, partition = split((project_id, dataset_id, table_id))
        with database.writing(*table):
            if partition is None:
                delete(*table)
                return
            target = partition_of(table, partition)
            if not target.count():
                raise not_found("Table", target.label)
            database.execute(f"DELETE FROM {target.name} WHERE {target.predicate}")

    return run


def decorated_columns(columns: Callable[..., Any]) -> Callable[..., Any]:
    """Give `table$partition` its table's columns."""

    def run(project_id: str, dataset_id: str, table_id: str) -> Any:
        return columns(*split((project_id, dataset_id, table_id))[0])

    return run


def summary_source(table: Reference) -> str:
    """Write the rows of `table$__PARTITIONS_SUMMARY__` as a DuckDB query."""
    resource = tables.load(*table)
    times = f"{int(resource.creationTime)}, {int(resource.lastModifiedTime)}"
    identity = ", ".join("'" + part.replace("'", "''") + "'" for part in table)
    rows = ", ".join(
        f"({number}, {identity}, '{partition}', {times})"
        for number, (partition, _) in enumerate(partition_counts(table, resource))
    )
    empty = f"(0, {identity}, '', {times})"
    kept = "" if rows else " WHERE false"
    return f"(SELECT * FROM (VALUES {rows or empty}) AS summary(rowid, {', '.join(SUMMARY_COLUMNS)}){kept})"


def decorated_rows(list_rows: Callable[..., Any]) -> Callable[..., Any]:
    """Let tabledata.list read `table$partition` and `table$__PARTITIONS_SUMMARY__`."""

    def run(
        project_id: str,
        dataset_id: str,
        table_id: str,
        max_results: int | None,
        start: int,
        selected_fields: str | None,
        int64_timestamps: bool,
    ) -> Any:
        table, partition = split((project_id, dataset_id, table_id))
        if partition is None:
            return list_rows(
                project_id, dataset_id, table_id, max_results, start, selected_fields, int64_timestamps
            )
        visible = tables.fields(tables.load(project_id, dataset_id, table_id))
        if partition == SUMMARY:
            source = summary_source(table)
        else:
            target = partition_of(table, partition)
            source = f"(SELECT *, rowid FROM {target.name} WHERE {target.predicate})"
        wanted = [f.strip().casefold() for f in (selected_fields or "").split(",") if f.strip()]
        wanted = wanted or [f.name.casefold() for f in visible]
        with database.cursor() as cursor:
            page = results.page(cursor, source, max_results, start, wanted, int64_timestamps)
        return page, [field for field in visible if field.name.casefold() in wanted]

    return run


def apply() -> None:
    """Teach every table call of local-bigquery the decorator."""
    tables.write = decorated_write(tables.write)
    tables.load = decorated_get(tables.load)
    tables.delete = decorated_delete(tables.delete)
    tables.columns = tabledata.columns = decorated_columns(tables.columns)
    tabledata.list_rows = decorated_rows(tabledata.list_rows)
