"""Stages 1 and 3 of an export that stays in BigQuery, against the local BigQuery."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException
from google.cloud import bigquery

from hourglass.cloud import gcs
from hourglass.config import Platform, Source, load_source
from hourglass.operators.account_export import check_export
from hourglass.operators.expectations import ValidateCandidateOperator
from hourglass.operators.sense import PartitionTrigger, look, where_of
from hourglass.operators.tasks import WAIT
from hourglass.partition import Partition
from hourglass.partition.completeness import Verdict

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
ROOT = Path(__file__).resolve().parents[2]
DAY = Partition.parse("2026-01-05")


class Export:
    """One export of its own."""

    def __init__(self, include: Path, client: bigquery.Client) -> None:
        self.include, self.client = include, client
        self.source_id = f"export_{uuid.uuid4().hex[:10]}"
        self.dataset = f"analytics_{uuid.uuid4().hex[:10]}"
        client.create_dataset(self.dataset)
        (include / "sql").symlink_to(ROOT / "include" / "sql")
        self.configure()

    def configure(self, suite: list[dict[str, Any]] | None = None, **ingestion: Any) -> None:
        fields = [
            {"name": name, "type": kind, "mode": "REQUIRED", "description": name, "classification": "public"}
            for name, kind in (("event_name", "STRING"), ("amount", "INT64"))
        ]
        document = {
            "source_id": self.source_id,
            "display_name": "Export test",
            "description": "An export of the tests.",
            "ingestion": {
                "pattern": "bigquery_export",
                "source_table": f"{self.dataset}.events_",
                "completeness": {"close_after": "1m", "settle": "0s"},
                **ingestion,
            },
            "schema": {"file": f"schemas/{self.source_id}/1.0.json"},
        }
        schema = {"source_id": self.source_id, "version": "1.0", "fields": fields}
        for name, text in (
            (f"sources/{self.source_id}.yaml", yaml.safe_dump(document)),
            (f"schemas/{self.source_id}/1.0.json", json.dumps(schema)),
            (f"expectations/{self.source_id}.yaml", yaml.safe_dump({"expectations": suite or []})),
        ):
            file = self.include / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    @property
    def platform(self) -> Platform:
        return Platform.from_env({**os.environ, "HOURGLASS_INCLUDE": str(self.include)})

    @property
    def source(self) -> Source:
        return load_source(self.source_id, self.include)

    @property
    def where(self) -> dict[str, Any]:
        return where_of(self.source, self.platform, DAY, "google_cloud_default")

    def write(self, rows: int, columns: str = "'click' AS event_name, n AS amount") -> None:
        name = f"{self.dataset}.events_20260105"
        self.client.query(
            f"CREATE OR REPLACE TABLE {name} AS SELECT {columns} FROM UNNEST(GENERATE_ARRAY(1, {rows})) AS n"
        ).result()

    def context(self, sensed: dict[str, Any]) -> Any:
        """What later tasks read: the sensed manifest, by Airflow's message between tasks."""

        def pull(task_ids: str) -> Any:
            return {WAIT: sensed}.get(task_ids)

        return {
            "ti": SimpleNamespace(xcom_pull=pull),
            "dag_run": SimpleNamespace(logical_date=DAY.start, run_id="test"),
            "params": {},
        }


@pytest.fixture
def export(tmp_path: Path, bigquery_client: bigquery.Client) -> Export:
    return Export(tmp_path, bigquery_client)


def test_the_trigger_waits_until_the_table_is_there_and_settled(export: Export) -> None:
    export.configure(completeness={"close_after": "1m", "settle": "3s"}, late_window="7d")
    where = {**export.where, "rule": {**export.where["rule"], "give_up_after": 1e9}}
    readiness, _ = look(where, datetime.now(tz=UTC))
    assert readiness.verdict is Verdict.WAITING

    async def first() -> Any:
        async for event in PartitionTrigger(where, poll_seconds=0.5).run():
            return event.payload
        raise AssertionError("the trigger ended without an event")

    written = time.monotonic()
    thread = threading.Thread(target=lambda: (time.sleep(2), export.write(7)))
    thread.start()
    event = asyncio.run(asyncio.wait_for(first(), timeout=60))
    thread.join()
    assert time.monotonic() - written >= 2 + 3 - 0.5
    assert event["verdict"] == "complete"
    name = event["manifest"]["uri"].split("/", 3)[3]
    manifest = json.loads(gcs.read_text(gcs.client(), "hourglass-ops", name) or "")
    table = manifest["exported"]
    assert table["table"] == f"{export.platform.project}.{export.dataset}.events_20260105"
    assert (table["rows"], bool(table["etag"]), bool(table["modified_ms"])) == (7, True, True)


def test_a_table_that_stays_away_is_missing(export: Export) -> None:
    readiness, _ = look(export.where, datetime.now(tz=UTC))
    assert readiness.verdict is Verdict.MISSING


def test_a_changed_table_has_another_manifest(export: Export) -> None:
    export.write(3)
    _, before = look(export.where, datetime.now(tz=UTC))
    _, again = look(export.where, datetime.now(tz=UTC))
    export.write(4)
    _, after = look(export.where, datetime.now(tz=UTC))
    assert before == again
    assert before["hash"] != after["hash"]


def test_every_row_of_the_table_is_a_line_and_silver(export: Export) -> None:
    export.write(5)
    _, sensed = look(export.where, datetime.now(tz=UTC))
    outcome = check_export(export.source, export.platform, export.context(sensed))
    assert outcome["counts"] == {"lines": 5, "silver": 5, "quarantined": 0, "duplicates": 0}
    assert outcome["candidate_rows"] == 5
    assert outcome["event_dates"] == ["2026-01-05"]


def test_a_table_that_changed_since_it_was_sensed_fails(export: Export) -> None:
    export.write(5)
    _, sensed = look(export.where, datetime.now(tz=UTC))
    export.write(6)
    with pytest.raises(AirflowFailException, match=r"has changed(.|\n)*export-changed"):
        check_export(export.source, export.platform, export.context(sensed))


def test_a_missing_column_fails(export: Export) -> None:
    export.write(5, "'click' AS event_name, CAST(n AS STRING) AS amount")
    _, sensed = look(export.where, datetime.now(tz=UTC))
    with pytest.raises(AirflowFailException, match=r"amount is STRING(.|\n)*export-not-covered"):
        check_export(export.source, export.platform, export.context(sensed))


def test_the_suite_runs_on_the_table_itself(export: Export) -> None:
    export.configure(
        suite=[
            {"type": "ExpectColumnValuesToBeInSet", "column": "event_name", "value_set": ["click"]},
            {
                "type": "ExpectColumnValuesToBeBetween",
                "column": "amount",
                "max_value": 3,
                "severity": "critical",
            },
        ]
    )
    export.write(5)
    task = ValidateCandidateOperator(task_id="validate", source=export.source, platform=export.platform)
    with pytest.raises(AirflowFailException, match=r"1 of 2 expectations(.|\n)*amount(.|\n)*events_20260105"):
        task.execute(export.context({}))
    export.write(3)
    assert task.execute(export.context({})) == {"evaluated": 2, "findings": []}
