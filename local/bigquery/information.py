"""INFORMATION_SCHEMA views that fail, or lack columns the project reads."""

from __future__ import annotations

from typing import Any

import duckdb
from local_bigquery.models import Table
from local_bigquery.sql.rules import information_schema as views

from local.bigquery.partitions import partition_counts

JOBS = """
SELECT
    make_timestamp(creation_time * 1000)::TIMESTAMPTZ AS creation_time,
    project_id,
    resource ->> '$.user_email' AS user_email,
    job_id,
    resource ->> '$.configuration.jobType' AS job_type,
    resource ->> '$.statistics.query.statementType' AS statement_type,
    make_timestamp(CAST(resource ->> '$.statistics.startTime' AS BIGINT) * 1000)::TIMESTAMPTZ AS start_time,
    make_timestamp(CAST(resource ->> '$.statistics.endTime' AS BIGINT) * 1000)::TIMESTAMPTZ AS end_time,
    resource ->> '$.configuration.query.query' AS query,
    state,
    parent_job_id,
    0::BIGINT AS total_bytes_processed,
    0::BIGINT AS total_bytes_billed,
    0::BIGINT AS total_slot_ms,
    false AS cache_hit,
    CASE WHEN resource -> '$.status.errorResult' IS NOT NULL THEN struct_pack(
        reason := resource ->> '$.status.errorResult.reason',
        message := resource ->> '$.status.errorResult.message') END AS error_result,
    list_transform(
        coalesce(json_keys(resource, '$.configuration.labels'), []),
        label -> struct_pack(
            key := label,
            value := json_extract_string(resource, '$.configuration.labels."' || label || '"'))) AS labels,
    struct_pack(
        project_id := resource ->> '$.configuration.query.destinationTable.projectId',
        dataset_id := resource ->> '$.configuration.query.destinationTable.datasetId',
        table_id := resource ->> '$.configuration.query.destinationTable.tableId') AS destination_table,
    resource ->> '$.status.errorResult.reason' AS error_reason
FROM emulator.main.jobs
WHERE project_id = {project}
"""
PARTITION_COLUMNS = [
    *views.IDENTITY,
    "partition_id",
    "total_rows INT64",
    "total_logical_bytes INT64",
    "last_modified_time TIMESTAMP",
    "storage_tier",
]


def table_partitions(table: Table) -> list[tuple[str | None, int]]:
    """Count a table's partitions, whatever the type of its partitioning column.

    Args:
        table: the table's resource.

    Returns:
        Partition ids with row counts; one row without an id for a table without partitions.
    """
    if table.type != "TABLE" or not (table.timePartitioning or table.rangePartitioning):
        return [(None, int(table.numRows))]
    try:
        return list(partition_counts(tuple(views._identity(table)), table))
    except duckdb.CatalogException:  # dropped since the listing
        return []


def partitions(project_id: str, dataset_id: str | None) -> tuple[list[str], list[list[Any]]]:
    """Fill INFORMATION_SCHEMA.PARTITIONS of a dataset."""
    rows = []
    for table in views._tables(project_id, dataset_id):
        width = int(table.numBytes) // max(int(table.numRows), 1)
        modified = views._timestamp(table.lastModifiedTime)
        for partition, count in table_partitions(table):
            rows.append([*views._identity(table), partition, count, count * width, modified.copy(), "ACTIVE"])
    return PARTITION_COLUMNS, rows


def apply() -> None:
    """Install the views."""
    views.JOBS = JOBS
    views._partitions = table_partitions
    views.VIEWS["PARTITIONS"] = partitions
