"""The warehouse as its readers see it: published tables put in, dbt run on them, marts read out."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from pathlib import Path

from google.cloud import bigquery

from hourglass.config import load_source
from local.published import Enrich, Landed, Row, create_table, event_dates, load, load_export, refined
from tests.dbt_runs import Dbt, messages

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
_DATASETS = ("silver", "staging", "intermediate", "gold", "ml", "ops", "api", "reporting", "reference")


class Warehouse:
    """One BigQuery project of the local cloud, and dbt on it.

    Args:
        project: The project's name; a module of tests has one of its own.
        folder: Where dbt writes; all runs share one partial parse.
    """

    def __init__(self, project: str, folder: Path) -> None:
        self.client = bigquery.Client(project=project)
        self.dbt = Dbt(folder, variables={"HOURGLASS_PROJECT": project, "HOURGLASS_LOCATION": "US"})
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
            load(self.client, table, [row for found in rows.values() for row in found])
        else:
            by_partition: defaultdict[str, list[Row]] = defaultdict(list)
            for hour, found in rows.items():
                by_partition[hour.strftime(source.grain.decorator_format)] += found
            for decorator, found in by_partition.items():
                load(self.client, f"{table}${decorator}", found)
        return event_dates(row["event_date"] for found in rows.values() for row in found)

    def export(self, source_id: str, landed: Landed) -> str:
        """Replace the daily tables of an export that is read where it is, as GA4's.

        Args:
            source_id: The source.
            landed: Rows as the export has them, by day.

        Returns:
            The days, as the DAG gives them to dbt.
        """
        load_export(self.client, load_source(source_id, INCLUDE), landed)
        return event_dates(f"{day:%Y-%m-%d}" for day in landed)

    def build(self, dates: str, *selected: str, command: str = "build") -> None:
        """Build models with their tests (or only `run` them), and fail with dbt's messages."""
        done = self.dbt(dates, *command.split(), "--select", *selected)
        assert done.success, messages(done, "error", "fail", "skipped")
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


def _text(row: Row) -> str:
    return json.dumps(row, default=str, sort_keys=True)
