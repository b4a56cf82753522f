"""The ledger is dropped, and comes back from Cloud Storage and BigQuery alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery, storage

from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs
from hourglass.config import Platform
from hourglass.config.loader import load_source
from hourglass.ledger import LedgerRow
from hourglass.ledger.receipts import record
from hourglass.ledger.store import TABLE, states
from hourglass.partition import Grain, Partition

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
ROOT = Path(__file__).resolve().parents[2]
SOURCE = "sessions"
FIRST = datetime(2026, 3, 1, 0, tzinfo=UTC)


def hour(n: int) -> Partition:
    return Partition(FIRST + n * timedelta(hours=1), Grain.HOUR)


def row(partition: Partition, state: str, attempt: int, minute: int, **more: Any) -> LedgerRow:
    return LedgerRow(
        source=SOURCE, partition=partition.key, landing_hour=partition.start, grain="hour", state=state,
        run_id=f"run-{partition.key}", attempt=attempt, recorded_at=partition.end + timedelta(minutes=minute),
        manifest_hash="abc", event_dates=(FIRST.date(),), timings='{"sense":1.5}', **more,
    )  # fmt: skip


def ledger(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hourglass", "ledger", SOURCE, "--from", hour(0).key, "--to", hour(4).key,
         "--format", "json", *options],
        capture_output=True, text=True, check=False, timeout=120, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "plugins"},
    )  # fmt: skip


def publish(client: bigquery.Client, platform: Platform, partition: Partition, silver: int, bad: int) -> None:
    source = load_source(SOURCE)
    for name, rows in (("silver", silver), ("quarantine", bad)):
        flow = bq.flows(source)[name]
        bq.ensure_published(client, platform, source, flow)
        values = ", ".join([f"(TIMESTAMP '{partition.start.isoformat()}')"] * rows)
        client.query(
            f"INSERT INTO `{flow.published(platform, source)}` (landing_hour) VALUES {values}"
        ).result()


def batch_files(objects: storage.Client, platform: Platform, partition: Partition, *, outcome: bool) -> None:
    def put(kind: str, name: str, content: dict[str, Any]) -> None:
        path = f"{kind}/{SOURCE}/{partition.key}/{name}.json"
        gcs.write(objects, platform.ops_bucket, path, json.dumps(content))

    put("manifests", "m1", {})
    put("specs", "refine-1", {"manifest": {"hash": "m1", "objects": [{"size": 7}]}})
    if outcome:
        counts = {"lines": 5, "silver": 3, "quarantined": 1, "duplicates": 1}
        found = {
            "manifest_hash": "m1",
            "schema_version": "1.0",
            "counts": counts,
            "event_dates": ["2026-03-01"],
        }
        put("outcomes", "refine-1", found)


def test_a_lost_ledger_is_rebuilt_with_the_states_and_the_history_it_had() -> None:
    platform = Platform.from_env()
    client = bigquery.Client(project=platform.project, location=platform.location)
    objects = storage.Client()
    rows = [
        row(hour(0), "failed", 1, 10, failed_stage="gate", lines=9, silver=1, quarantined=8, duplicates=0),
        row(hour(0), "published", 2, 30, lines=9, silver=9, published_rows=9, quarantined=0, duplicates=0),
        row(hour(1), "failed", 1, 10, failed_stage="transform", warnings='["[warning] it\'s odd"]'),
    ]
    assert [record(objects, client, platform, r) for r in rows] == [True] * 3
    batch_files(objects, platform, hour(2), outcome=True)
    publish(client, platform, hour(2), 3, 1)
    batch_files(objects, platform, hour(3), outcome=True)
    batch_files(objects, platform, hour(4), outcome=False)

    def every() -> list[dict[str, Any]]:
        sql = (
            f"SELECT * FROM {TABLE} WHERE source = '{SOURCE}' AND landing_hour >= '2000-01-01' "
            "ORDER BY recorded_at"
        )
        return [dict(r.items()) for r in client.query(sql).result()]

    before = every()
    client.delete_table(f"{platform.project}.{TABLE}")
    assert states(client, platform, SOURCE, hour(0).start, hour(4).end) == []

    done = ledger("--rebuild")
    assert done.returncode == 1, done.stderr  # some partitions have failed
    assert "added 6 rows of sessions: 3 have a receipt, 3 partitions" in done.stderr
    assert [r for r in every() if not r["run_id"].startswith("rebuilt__")] == before
    entries = {e["partition"]: e for e in json.loads(done.stdout)}
    assert [e["state"] for e in entries.values()] == ["published", "failed", "published", "failed", "failed"]
    assert entries[hour(0).key]["attempt"] == 2
    assert entries[hour(2).key]["published_rows"] == 3
    assert "clear `gate`" in entries[hour(3).key]["next_step"]
    assert "clear `refine`" in entries[hour(4).key]["next_step"]

    # Once more, and with a row missing in the middle: only what is missing is added.
    assert "added 0 rows" in ledger("--rebuild").stderr
    client.query(
        f"DELETE FROM {TABLE} WHERE source = '{SOURCE}' AND landing_hour = TIMESTAMP '{hour(1).start}'"
    ).result()
    assert "added 1 rows" in ledger("--rebuild").stderr
    assert [r for r in every() if not r["run_id"].startswith("rebuilt__")] == before
