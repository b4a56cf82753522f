"""The tables of an export that stays in BigQuery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hourglass.cloud.bigquery import TableName
from hourglass.config.patterns import BigqueryExport
from hourglass.ingest.export import ExportedTable

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from hourglass.config import Platform, Source
    from hourglass.partition import Partition


def exported_table(source: Source, platform: Platform, partition: Partition) -> TableName | None:
    """The table that is a partition of an export; None for a source of any other pattern.

    Args:
        source: The source.
        platform: The deployment's names; its project is the table's, unless the source names another.
        partition: The day.
    """
    ingestion = source.file.ingestion
    if not isinstance(ingestion, BigqueryExport):
        return None
    *project, dataset, prefix = ingestion.source_table.split(".")
    return TableName((project or [platform.project])[0], dataset, f"{prefix}{partition.start:%Y%m%d}")


def describe(bigquery: Client, table: str) -> ExportedTable | None:
    """A table as it is now, or None while it is not there.

    Args:
        bigquery: The BigQuery client.
        table: `project.dataset.name`.
    """
    from google.api_core.exceptions import NotFound

    try:
        found = bigquery.get_table(table)
    except NotFound:
        return None
    return ExportedTable(
        table=table,
        etag=str(found.etag),
        modified_ms=int(found.modified.timestamp() * 1000),
        rows=int(found.num_rows or 0),
        bytes=int(found.num_bytes or 0),
    )
