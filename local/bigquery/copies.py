"""Copy jobs from and to partitions, with the layout a new table takes over from its source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_bigquery.catalog import names, tables
from local_bigquery.errors import not_found
from local_bigquery.jobs import copy, runner
from local_bigquery.models import Table

from local.bigquery import partitions

INHERITED = ("schema", "timePartitioning", "rangePartitioning", "clustering", "description")


def source_rows(source: Callable[..., str]) -> Callable[..., str]:
    """Read `table$partition` as a copy's source; a partition without rows is not found, as in BigQuery."""

    def run(reference: partitions.Reference) -> str:
        table, partition = partitions.split(reference)
        if partition is None:
            return source(reference)
        found = partitions.partition_of(table, partition)
        if not found.count():
            raise not_found("Table", found.label)
        return found.rows

    return run


def inherited(config: Any, source: partitions.Reference) -> Table:
    """Return what a table created by a copy takes over from its source."""
    stored = tables.load(*partitions.split(source)[0])
    kept = stored.only(*INHERITED).dump()
    if config.destinationEncryptionConfiguration:
        kept["encryptionConfiguration"] = config.destinationEncryptionConfiguration
    return Table.model_validate(kept)


def copied_layout(run_copy: Callable[..., Any]) -> Callable[..., Any]:
    """Create a copy's destination with its source's partitioning, clustering and descriptions."""

    def run(cursor: Any, config: Any, upload: str | None) -> Any:
        source = tables.reference((config.sourceTables or [config.sourceTable])[0])
        destination, _ = partitions.split(tables.reference(config.destinationTable))
        created = not tables.exists(*destination) and config.createDisposition != "CREATE_NEVER"
        if created and config.operationType in (None, "COPY"):
            tables_exist(source)
            layout = inherited(config, source)
            body = layout.replace(tableReference={"tableId": destination[2]})
            tables.create(*destination[:2], body, None)
        try:
            return run_copy(cursor, config, upload)
        except Exception:
            if created:
                tables.delete(*destination)
            raise

    return run


def tables_exist(source: partitions.Reference) -> None:
    """Raise notFound for a source that is not there, before anything is created for it."""
    if not tables.exists(*partitions.split(source)[0]):
        raise not_found("Table", names.label(*source))


def apply() -> None:
    """Install the copy repairs."""
    copy._source = source_rows(copy._source)
    copy.run = runner.HANDLERS["copy"] = copied_layout(copy.run)
