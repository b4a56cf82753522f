"""The warehouse as its readers see it: published tables put in, dbt run on them, marts read out."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult
from google.cloud import bigquery

from hourglass.config import Source, load_source
from hourglass.config.schema import SchemaField, table_columns
from hourglass.generate.record import as_moment, data_paths, get, own_path

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
PROJECT = INCLUDE / "dbt"
Row = dict[str, Any]
Landed = Mapping[datetime, list[Row]]  # rows by the start of the partition that they landed in
Enrich = Callable[[Row], Row]
_DATASETS = ("silver", "staging", "intermediate", "gold", "ml", "ops", "api", "reporting", "reference")


class Warehouse:
    """One BigQuery project of the local cloud, and dbt on it.

    Args:
        project: The project's name; a module of tests has one of its own.
        folder: Where dbt writes; all runs share one partial parse.
    """

    def __init__(self, project: str, folder: Path) -> None:
        self.client = bigquery.Client(project=project)
        self._folder = folder
        for dataset in _DATASETS:
            self.client.create_dataset(dataset, exists_ok=True)

    def publish(self, source_id: str, landed: Landed, enrich: Enrich | None = None) -> str:
        """Replace what is published of the given partitions; an empty list empties one.

        Args:
            source_id: The source; its table is made when it is not there.
            landed: Rows as the source's schema has them, by partition.
            enrich: Gives the fields that refining adds to a row, or changes in it (hashed, dropped).

        Returns:
            The event dates of the rows, as the DAG gives them to dbt.
        """
        source = load_source(source_id, INCLUDE)
        rows = {hour: refined(source, hour, given, enrich) for hour, given in landed.items()}
        table = f"silver.{source.id}"
        if create_table(self.client, source):
            self._load(table, [row for found in rows.values() for row in found])
        else:
            by_partition: defaultdict[str, list[Row]] = defaultdict(list)
            for hour, found in rows.items():
                by_partition[hour.strftime(source.grain.decorator_format)] += found
            for decorator, found in by_partition.items():
                self._load(f"{table}${decorator}", found)
        return event_dates(row["event_date"] for found in rows.values() for row in found)

    def export(self, source_id: str, landed: Landed) -> str:
        """Replace the daily tables of an export that is read where it is, as GA4's.

        Args:
            source_id: The source.
            landed: Rows as the export has them, by day.

        Returns:
            The days, as the DAG gives them to dbt.
        """
        source = load_source(source_id, INCLUDE)
        ingestion: Any = source.file.ingestion
        dataset, prefix = ingestion.source_table.split(".")[-2:]
        self.client.create_dataset(dataset, exists_ok=True)
        columns = [{**table_columns(f), "name": f.source_path or f.name} for f in source.schema.fields]
        for day, rows in landed.items():
            self._load(f"{dataset}.{prefix}{day:%Y%m%d}", rows, columns)
        return event_dates(f"{day:%Y-%m-%d}" for day in landed)

    def dbt(self, dates: str, *command: str) -> dbtRunnerResult:
        """Run one dbt command, such as `run --select tag:daily`, for event dates ("2024-06-01,2024-06-02")."""
        folder = str(self._folder)
        places = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--quiet"]
        places += ["--target-path", folder, "--log-path", folder]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOURGLASS_EVENT_DATES", dates)
            patch.setenv("HOURGLASS_PROJECT", self.client.project)
            patch.setenv("HOURGLASS_LOCATION", "US")
            return dbtRunner().invoke([*command, *places])

    def build(self, dates: str, *selected: str, command: str = "build") -> None:
        """Build models with their tests (or only `run` them), and fail with dbt's messages."""
        done = self.dbt(dates, *command.split(), "--select", *selected)
        bad = [n for n in done.result or () if str(n.status) in ("error", "fail", "skipped")]
        assert done.success, "\n".join(f"{n.node.name}: {n.message}" for n in bad) or done.exception
        assert done.result, f"nothing is selected by {selected}"

    def rows(self, table: str, where: str = "true") -> list[Row]:
        """All rows of a table, such as `gold.fct_orders`, in a fixed order; partitioned tables are read whole."""
        found = self.client.get_table(table)
        if found.require_partition_filter:
            where = f"{found.time_partitioning.field} >= '1970-01-01' and {where}"
        rows = [dict(row) for row in self.client.query_and_wait(f"SELECT * FROM {table} WHERE {where}")]
        return sorted(rows, key=_text)

    def checksums(self, *tables: str) -> dict[str, str]:
        """For each table a digest of its rows, whatever their order, and how many there are."""
        found = {table: self.rows(table) for table in tables}
        digest = {t: hashlib.sha256("\n".join(map(_text, r)).encode()).hexdigest() for t, r in found.items()}
        return {table: f"{len(found[table])} rows {digest[table][:16]}" for table in tables}

    def drop(self, *tables: str) -> None:
        """Remove tables, such as `gold.fct_orders` or `silver.orders`, where they are there."""
        for table in tables:
            self.client.delete_table(table, not_found_ok=True)

    def _load(self, table: str, rows: list[Row], columns: list[dict[str, Any]] | None = None) -> None:
        made = [bigquery.SchemaField.from_api_repr(c) for c in columns or ()]
        schema = made or self.client.get_table(table.partition("$")[0]).schema
        config = bigquery.LoadJobConfig(schema=schema, write_disposition="WRITE_TRUNCATE")
        self.client.load_table_from_json(rows, table, job_config=config).result()


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


def _text(row: Row) -> str:
    return json.dumps(row, default=str, sort_keys=True)
