"""Partitions of less than an hour share one of BigQuery's: each is merged into it by itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from hourglass.cloud import bigquery as bq
from hourglass.config import Platform, Source, load_source
from hourglass.partition import Grain, Partition

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
YAML = """\
source_id: quarters
display_name: Quarters of an hour
description: One row a reading.
ingestion:
  pattern: batch_file
  location: gs://hourglass-raw/quarters/
  path_template: hive
  schedule: "*/15 * * * *"
schema:
  file: schemas/quarters.json
"""
FIELDS = [{"name": "id", "type": "STRING"}, {"name": "at", "type": "TIMESTAMP"}]


def source_of(include: Path, fields: list[dict[str, Any]], cron: str = "*/15 * * * *") -> Source:
    for folder in ("sources", "schemas"):
        (include / folder).mkdir(exist_ok=True)
    (include / "sources/quarters.yaml").write_text(YAML.replace("*/15 * * * *", cron))
    schema = {"source_id": "quarters", "version": "1.0", "fields": fields}
    (include / "schemas/quarters.json").write_text(json.dumps(schema))
    return load_source("quarters", include)


class Table:
    """The published table of the source, and candidates for it."""

    def __init__(self, client: bigquery.Client, source: Source) -> None:
        self.client, self.source = client, source
        self.platform = Platform.from_env(os.environ)
        self.flow = bq.flows(source)["silver"]
        self.published = self.flow.published(self.platform, source)

    def publish(self, key: str, ids: list[str], **more: Any) -> None:
        partition = Partition.parse(key, self.source.grain)
        bq.ensure_published(self.client, self.platform, self.source, self.flow)
        bq.create_candidate(self.client, self.platform, self.source, self.flow, partition)
        candidate = self.flow.candidate(self.platform, self.source, partition)
        rows = [
            {
                "id": i,
                "at": f"{partition.start:%Y-%m-%dT%H:%M:%SZ}",
                "event_date": f"{partition.start:%Y-%m-%d}",
            }
            | {"landing_hour": f"{partition.start:%Y-%m-%dT%H:%M:%SZ}", "source_line": 1, **more}
            for i in ids
        ]
        if rows:
            load = bigquery.LoadJobConfig(write_disposition="WRITE_APPEND")
            self.client.load_table_from_json(rows, str(candidate), job_config=load).result()
        if partition.grain == Grain.HOUR:
            self._copy(candidate, partition)
            return
        job = bq.merge_configuration(candidate, self.published, self.source, self.flow, partition)
        self.client.query(
            job["query"]["query"], job_config=bigquery.QueryJobConfig(labels=job["labels"])
        ).result()

    def _copy(self, candidate: bq.TableName, partition: Partition) -> None:
        target = self.client.get_table(str(self.published))
        bq.widen(self.client, self.client.get_table(str(candidate)), target.schema)
        resource = bq.copy_configuration(candidate, self.published, self.source, partition)
        self.client.create_job(resource).result()

    def rows(self, columns: str = "id") -> list[tuple[Any, ...]]:
        query = (
            f"SELECT FORMAT_TIMESTAMP('%H:%M', landing_hour), {columns} FROM `{self.published}` "
            "WHERE landing_hour >= TIMESTAMP '2021-07-21' ORDER BY 1, 2"
        )
        return [tuple(row.values()) for row in self.client.query(query).result()]


def test_a_quarter_is_replaced_and_its_neighbours_stay(
    bigquery_client: bigquery.Client, tmp_path: Path
) -> None:
    bigquery_client.delete_table("silver.quarters", not_found_ok=True)
    table = Table(bigquery_client, source_of(tmp_path, FIELDS))
    table.publish("2021-07-21T06:00", ["a", "b"])
    table.publish("2021-07-21T06:15", ["c"])
    table.publish("2021-07-21T07:00", ["d"])
    assert table.rows() == [("06:00", "a"), ("06:00", "b"), ("06:15", "c"), ("07:00", "d")]
    table.publish("2021-07-21T06:00", ["b", "e"])
    table.publish("2021-07-21T06:00", ["b", "e"])
    assert table.rows() == [("06:00", "b"), ("06:00", "e"), ("06:15", "c"), ("07:00", "d")]
    table.publish("2021-07-21T06:00", [])
    assert table.rows() == [("06:15", "c"), ("07:00", "d")]


def test_a_column_that_the_schema_has_gained_is_merged_by_its_name(
    bigquery_client: bigquery.Client, tmp_path: Path
) -> None:
    bigquery_client.delete_table("silver.quarters", not_found_ok=True)
    Table(bigquery_client, source_of(tmp_path, FIELDS)).publish("2021-07-21T06:00", ["a"])
    table = Table(bigquery_client, source_of(tmp_path, [{"name": "unit", "type": "STRING"}, *FIELDS]))
    table.publish("2021-07-21T06:15", ["b"], unit="kg")
    assert table.rows("id, unit") == [("06:00", "a", None), ("06:15", "b", "kg")]


def test_an_older_version_is_published_beside_a_newer_one(
    bigquery_client: bigquery.Client, tmp_path: Path
) -> None:
    """Whatever the order in which a schema's versions are configured: fields come, also inside of records, and stay."""
    bigquery_client.delete_table("silver.quarters", not_found_ok=True)

    def place(*names: str) -> dict[str, Any]:
        return {
            "name": "place",
            "type": "RECORD",
            "fields": [{"name": name, "type": "STRING"} for name in names],
        }

    def at(hour: int, fields: list[dict[str, Any]], **more: Any) -> Table:
        table = Table(bigquery_client, source_of(tmp_path, fields, "0 * * * *"))
        table.publish(f"2021-07-21T{hour:02}", [f"h{hour}"], **more)
        return table

    older = [*FIELDS, place("city")]
    newer = [{"name": "unit", "type": "STRING"}, *FIELDS, place("country", "city")]
    at(6, older, place={"city": "Bonn"})
    at(7, newer, place={"city": "Lyon", "country": "FR"}, unit="kg")
    at(8, older, place={"city": "Turin"})
    table = at(7, older, place={"city": "Lyon"})
    assert table.rows("id, unit, place.city, place.country") == [
        ("06:00", "h6", None, "Bonn", None),
        ("07:00", "h7", None, "Lyon", None),
        ("08:00", "h8", None, "Turin", None),
    ]
    at(6, newer, place={"city": "Bonn", "country": "DE"}, unit="g")
    assert table.rows("id, unit, place.country")[0] == ("06:00", "h6", "g", "DE")
