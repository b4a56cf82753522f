"""What publishing leaves of rows that were never files: refined in plain Python, loaded into the published tables.

The warehouse's tests and `make demo-day` fill the warehouse so; Spark and the DAGs of sources have no part in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from google.cloud import bigquery

from hourglass.config import Source
from hourglass.config.schema import SchemaField, table_columns
from hourglass.generate.record import as_moment, data_paths, get, own_path

Row = dict[str, Any]
Landed = Mapping[datetime, list[Row]]  # rows by the start of the partition that they landed in
Enrich = Callable[[Row], Row]


def create_table(client: bigquery.Client, source: Source) -> bool:
    """Create an empty published table, as the publish stage does; false where it is there."""
    table = bigquery.Table(f"{client.project}.silver.{source.id}", schema=source.columns())
    kind = source.grain.partition_type
    table.time_partitioning = bigquery.TimePartitioning(type_=kind, field="landing_hour")
    table.require_partition_filter = True
    if any(found.table_id == source.id for found in client.list_tables("silver")):
        return False
    client.create_table(table)
    return True


def load(
    client: bigquery.Client, table: str, rows: list[Row], columns: list[dict[str, Any]] | None = None
) -> None:
    """Replace a table, or one partition of it.

    Args:
        client: The BigQuery client.
        table: Such as `silver.orders`, or `silver.orders$2024060106`.
        rows: Its rows, as JSON values.
        columns: Its columns as the API has them, where the table is not there yet.
    """
    made = [bigquery.SchemaField.from_api_repr(c) for c in columns or ()]
    schema = made or client.get_table(table.partition("$")[0]).schema
    config = bigquery.LoadJobConfig(schema=schema, write_disposition="WRITE_TRUNCATE")
    client.load_table_from_json(rows, table, job_config=config).result()


def load_export(client: bigquery.Client, source: Source, landed: Landed) -> None:
    """Replace the daily tables of an export that is read where it is, as GA4's.

    Args:
        client: The BigQuery client.
        source: The source.
        landed: Rows as the export has them, by day.
    """
    ingestion: Any = source.file.ingestion
    dataset, prefix = ingestion.source_table.split(".")[-2:]
    client.create_dataset(dataset, exists_ok=True)
    columns = [{**table_columns(f), "name": f.source_path or f.name} for f in source.schema.fields]
    for day, rows in landed.items():
        load(client, f"{dataset}.{prefix}{day:%Y%m%d}", rows, columns)


def refined(source: Source, hour: datetime, rows: Iterable[Row], enrich: Enrich | None = None) -> list[Row]:
    """Good rows of one partition as refining leaves them: without repeats, with the system columns.

    Args:
        source: The source.
        hour: The partition's start.
        rows: Rows as the source's schema has them, in the order of their lines.
        enrich: Gives the fields that refining adds to a row, or changes in it.
    """
    key = [data_paths(source.schema)[name] for name in source.file.deduplication_key or ()]
    time = data_paths(source.schema)[source.event_time] if source.event_time else ()
    name = f"gs://{source.bucket}/{source.id}/{hour:%Y-%m-%dT%H}.json.gz"
    kept: dict[Any, Row] = {}
    for line, row in enumerate(rows, start=1):
        moment = (as_moment(get(row, time)) if time else None) or hour
        system = {
            "landing_hour": hour.isoformat(),
            "event_date": moment.date().isoformat(),
            "source_object": name,
            "source_line": line,
            "unknown_fields": None,
        }
        found = json.dumps([get(row, path) for path in key], default=str) if key else line
        columns = {f.name: _value(f, get(row, own_path(f))) for f in source.schema.fields}
        kept.setdefault(found, {**columns, **(enrich(row) if enrich else {}), **system})
    return list(kept.values())


def event_dates(dates: Iterable[date | str]) -> str:
    """Dates as the DAG gives them to dbt: sorted, each once, separated by commas."""
    return ",".join(sorted({str(found) for found in dates}))


def _value(field: SchemaField, value: Any) -> Any:
    """A field's value as a load job reads it from JSON."""
    if isinstance(value, list | tuple):
        return [_value(field, item) for item in value]
    if isinstance(value, dict) and field.fields:
        return {f.name: _value(f, get(value, own_path(f))) for f in field.fields}
    if field.type == "JSON":  # silver has its text
        return value if value is None or isinstance(value, str) else json.dumps(value)
    if field.type == "TIMESTAMP" and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, bool | int | float | str | None) else str(value)
