"""The sweeper, as Airflow runs it: changed partitions run again, files that came too late are reported once."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery, storage
from google.cloud.dataproc_v1 import Batch

from hourglass.cloud.dataproc import BatchHook
from hourglass.config import Platform
from hourglass.config.loader import load_source
from hourglass.ledger import LedgerRow
from hourglass.ledger.store import append, states
from hourglass.operators.sense import look, where_of
from hourglass.partition import Grain, Partition
from tests.e2e.landed import date

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
ROOT = Path(__file__).resolve().parents[2]
NOW = datetime.now(tz=UTC)


def hours_ago(hours: int) -> Partition:
    return Partition.containing(NOW - timedelta(hours=hours), Grain.HOUR)


CHANGED, UNCHANGED, UNKNOWN = hours_ago(2), hours_ago(3), hours_ago(4)
# Their late window of four hours has passed.
IN_TIME, GONE, OVERDUE, RECORDED_AGAIN, FAILED = (hours_ago(n) for n in (6, 7, 8, 9, 10))


@pytest.fixture(scope="module")
def client() -> bigquery.Client:
    platform = Platform.from_env()
    return bigquery.Client(project=platform.project, location=platform.location)


@pytest.fixture(scope="module")
def landed(cloud: Any, client: bigquery.Client) -> Iterator[None]:
    """Partitions with a file each, but for GONE; the ledger knows all but UNKNOWN, two with the files they had."""
    cloud.airflow.prepare(cloud.environment())
    source, platform = load_source("github"), Platform.from_env()
    blobs = []

    def land(partition: Partition, *names: str) -> None:
        bucket, (prefix,) = source.prefixes(partition)
        for name in names:
            blobs.append(storage.Client().bucket(bucket).blob(prefix + name))
            blobs[-1].upload_from_string(b"")

    for partition in (CHANGED, UNCHANGED, UNKNOWN, IN_TIME, OVERDUE, RECORDED_AGAIN, FAILED):
        land(partition, "events.json.gz", "_SUCCESS")
    frozen = {
        p: look(where_of(source, platform, p, "google_cloud_default"), NOW)[1]["hash"]
        for p in (UNCHANGED, IN_TIME)
    }
    # Three minutes before the window's end, which the sweep after it sees first.
    land(IN_TIME, "late.json.gz")
    date(cloud, blobs[-1].bucket.name, blobs[-1].name, IN_TIME.end + timedelta(hours=3, minutes=57))
    for partition in (CHANGED, UNCHANGED, IN_TIME, GONE, OVERDUE, RECORDED_AGAIN):
        append(client, platform, recorded(partition, manifest_hash=frozen.get(partition, "old")))
    append(client, platform, recorded(FAILED, state="failed", failed_stage="gate", published_rows=None))
    yield
    for blob in blobs:
        blob.delete()


def recorded(partition: Partition, attempt: int = 1, **more: Any) -> LedgerRow:
    """What a run wrote, an hour after the one before."""
    values: dict[str, Any] = {
        "state": "published", "manifest_hash": "old", "objects": 1, "lines": 10, "published_rows": 10,
        "event_dates": (NOW.date(),), "recorded_at": partition.end + timedelta(hours=attempt),
    }  # fmt: skip
    return LedgerRow(
        source="github", partition=partition.key, landing_hour=partition.start, grain="hour",
        run_id=f"sweep-{partition.key}", attempt=attempt, **(values | more),
    )  # fmt: skip


def start_batch(partition: Partition) -> str:
    """A batch of a partition that runs for as long as the test does."""
    platform, hook = Platform.from_env(), BatchHook()
    storage.Client().bucket(platform.ops_bucket).blob("test/wait.py").upload_from_string(
        "import time\ntime.sleep(300)\n"
    )
    name = f"refine-github-{partition.stamp}-sweep-1"
    batch = Batch(
        pyspark_batch={
            "main_python_file_uri": platform.uri("test/wait.py"),
            "args": [platform.uri(f"specs/github/{partition.key}/{name}.json")],
        },
        labels={
            "hourglass-source": "github",
            "hourglass-partition": partition.stamp,
            "hourglass-stage": "refine",
        },
    )
    parent = f"projects/{platform.project}/locations/{platform.region}"
    hook.get_batch_client(platform.region).create_batch(parent=parent, batch=batch, batch_id=name)
    return name


def batch_state(name: str) -> str:
    platform = Platform.from_env()
    found = BatchHook().get_batch(batch_id=name, region=platform.region, project_id=platform.project)
    return str(found.state.name)


def airflow(*arguments: str) -> str:
    done = subprocess.run(
        ["airflow", *arguments], capture_output=True, text=True, check=False, timeout=300, cwd=ROOT
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout + done.stderr


def test_changed_partitions_run_again_and_overdue_ones_are_reported_once(
    landed: None, client: bigquery.Client, cloud: Any
) -> None:
    orphan = start_batch(UNCHANGED)  # it has no run at all
    first = airflow("dags", "test", "hourglass_sweeper")
    assert f"Cancelled batch {orphan}: nobody waits for it" in first
    assert batch_state(orphan) in ("CANCELLED", "CANCELLING")
    for late in (CHANGED, IN_TIME):
        assert f"github {late.key}: run rerun__{late.key} was cleared or created" in first
    for overdue in (OVERDUE, RECORDED_AGAIN, FAILED):
        assert f"github {overdue.key}: files came after the late window" in first
    assert f"github {GONE.key}: objects are gone" in first
    for quiet in (UNCHANGED, UNKNOWN):
        assert f"github {quiet.key}:" not in first
    runs = json.loads(airflow("dags", "list-runs", "github", "-o", "json").splitlines()[-1])
    rerun = {r["run_id"] for r in runs if r["run_id"].startswith("rerun__")}
    assert rerun == {f"rerun__{CHANGED.key}", f"rerun__{IN_TIME.key}"}

    awaited = start_batch(CHANGED)  # its run is queued: the refine task's first try will attach to it
    # Somebody cleared `transform`: the partition is published again, and still without the late file.
    append(client, Platform.from_env(), recorded(RECORDED_AGAIN, attempt=2, recorded_at=datetime.now(tz=UTC)))
    second = airflow("dags", "test", "hourglass_sweeper")
    assert batch_state(awaited) in ("PENDING", "RUNNING")
    BatchHook().cancel(Platform.from_env().project, Platform.from_env().region, awaited)
    assert f"github {CHANGED.key}: run rerun__{CHANGED.key} is in flight" in second
    assert f"github {RECORDED_AGAIN.key}: files came after the late window" in second
    for told in (OVERDUE, FAILED, GONE):
        assert f"github {told.key}:" not in second

    alerts = [json.loads(line) for line in cloud.layout.alerts.read_text().splitlines()]
    said = {
        p: [a["title"] for a in alerts if p.key in a["title"]]
        for p in (OVERDUE, RECORDED_AGAIN, FAILED, GONE)
    }
    assert {p: len(titles) for p, titles in said.items()} == {
        OVERDUE: 1,
        RECORDED_AGAIN: 2,
        FAILED: 1,
        GONE: 1,
    }
    assert said[GONE] == [f"github {GONE.key}: files are gone"]


def test_what_was_reported_is_in_the_ledger_with_the_command_that_helps(
    landed: None, client: bigquery.Client
) -> None:
    found = states(client, Platform.from_env(), "github", FAILED.start, IN_TIME.start)
    rows = {row["partition"]: row for row in found}
    told = {
        p.key: (rows[p.key]["state"], rows[p.key]["published_rows"]) for p in (OVERDUE, RECORDED_AGAIN, GONE)
    }
    assert told == {
        OVERDUE.key: ("overdue", 10),
        RECORDED_AGAIN.key: ("overdue", 10),
        GONE.key: ("overdue", 10),
    }
    # It was never published: whoever waits for the day must not take it for settled.
    assert (rows[FAILED.key]["state"], rows[FAILED.key]["failed_stage"]) == ("failed", "gate")
    for partition in (OVERDUE, FAILED):
        (warning,) = json.loads(rows[partition.key]["warnings"])
        assert f"""airflow dags trigger github --conf '{{"partition": "{partition.key}"}}'""" in warning


def test_the_ledger_command_shows_states_gaps_and_what_to_do(landed: None) -> None:
    done = subprocess.run(
        [".venv/bin/python", "-m", "hourglass", "ledger", "github", "--from", hours_ago(5).key,
         "--to", CHANGED.key, "--format", "json"],
        capture_output=True, text=True, check=False, timeout=120, cwd=ROOT, env={**os.environ, "PYTHONPATH": "plugins"},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr[-3000:]
    entries = {e["partition"]: e for e in json.loads(done.stdout)}
    assert [e["state"] for e in entries.values()] == ["gap", "gap", "published", "published"]
    assert entries[UNCHANGED.key]["published_rows"] == 10
    assert "airflow dags trigger github" in entries[UNKNOWN.key]["next_step"]


@pytest.mark.spark
def test_housekeeping_looks_at_the_tables_of_every_source(landed: None, cloud: Any) -> None:
    airflow("dags", "test", "hourglass_housekeeping")
    (log,) = cloud.layout.alerts.parent.glob("dataproc-expire-snapshots-*.log")
    said = log.read_text()
    assert "expire | lake.silver.github: " in said
    assert "expire | lake.quarantine.users: " in said
    assert "lake.silver.ga4" not in said
