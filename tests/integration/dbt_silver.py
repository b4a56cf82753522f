"""A published `silver.github` for the dbt tests, made from the sample files in plain Python.

The refine job and the publish stage have tests of their own; here their result is only the input.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from google.cloud import bigquery

SAMPLES = Path(__file__).resolve().parents[2] / "include/samples/github"
Row = dict[str, Any]

_TABLE = """
CREATE OR REPLACE TABLE silver.github (
  id STRING NOT NULL, type STRING,
  actor STRUCT<
    id INT64, login STRING, display_login STRING, gravatar_id STRING, url STRING, avatar_url STRING
  >,
  repo STRUCT<id INT64, name STRING, url STRING>,
  payload STRING, public BOOL, created_at TIMESTAMP,
  org STRUCT<id INT64, login STRING, gravatar_id STRING, url STRING, avatar_url STRING>,
  repo_owner STRING, is_bot BOOL,
  landing_hour TIMESTAMP, event_date DATE, source_object STRING, source_line INT64, unknown_fields STRING
)
PARTITION BY TIMESTAMP_TRUNC(landing_hour, HOUR)
CLUSTER BY type
OPTIONS (require_partition_filter = TRUE)
"""


def sample_rows(hour: int) -> Iterator[Row]:
    """Yield the silver rows of one sample hour of 2021-07-21, as the refine job defines them."""
    folder = SAMPLES / f"year=2021/month=07/day=21/hour={hour:02d}"
    for path in sorted(folder.glob("*.json.gz")):
        source = f"gs://hourglass-raw/github/{path.relative_to(SAMPLES).as_posix()}"
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                yield silver_row(json.loads(line), f"2021-07-21T{hour:02d}:00:00Z", source, number)


def silver_row(event: Row, landing_hour: str, source: str, line: int) -> Row:
    """Return one raw event as a row of `silver.github`."""
    login = event["actor"]["login"]
    return {
        **event,
        "payload": json.dumps(event["payload"]),
        "repo_owner": event["repo"]["name"].split("/")[0],
        "is_bot": login.endswith("[bot]"),
        "landing_hour": landing_hour,
        "event_date": event["created_at"][:10],
        "source_object": source,
        "source_line": line,
    }


def event(event_id: str, created_at: str, event_type: str = "PushEvent", **payload: Any) -> Row:
    """Return a small raw event for cases that the samples do not hold."""
    return {
        "id": event_id,
        "type": event_type,
        "actor": {"id": 7, "login": "ada"},
        "repo": {"id": 70, "name": "ada/engine"},
        "payload": payload,
        "public": True,
        "created_at": created_at,
    }


def create_table(client: bigquery.Client) -> None:
    """Create the datasets and an empty `silver.github`."""
    for dataset in ("silver", "staging", "gold", "ops"):
        client.create_dataset(dataset, exists_ok=True)
    client.query_and_wait(_TABLE)


def publish(client: bigquery.Client, landing_hour: str, rows: Iterable[Row]) -> None:
    """Replace the partition of one landing hour, as the publish stage does.

    Args:
        client: A client of the local BigQuery.
        landing_hour: The partition's start, such as `2021-07-21T06:00:00Z`.
        rows: All silver rows of the partition; none empties it.
    """
    hour = datetime.fromisoformat(landing_hour).strftime("%Y%m%d%H")
    schema = client.get_table("silver.github").schema
    config = bigquery.LoadJobConfig(schema=schema, write_disposition="WRITE_TRUNCATE")
    client.load_table_from_json(list(rows), f"silver.github${hour}", job_config=config).result()
