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

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
ROOT = Path(__file__).resolve().parents[2]
NOW = datetime.now(tz=UTC)


def hours_ago(hours: int) -> Partition:
    return Partition.containing(NOW - timedelta(hours=hours), Grain.HOUR)


CHANGED, UNCHANGED, OVERDUE, UNKNOWN = hours_ago(2), hours_ago(3), hours_ago(7), hours_ago(4)


@pytest.fixture(scope="module")
def client() -> bigquery.Client:
    platform = Platform.from_env()
    return bigquery.Client(project=platform.project, location=platform.location)


@pytest.fixture(scope="module")
def landed(cloud: Any, client: bigquery.Client) -> Iterator[None]:
    """Four partitions with a file each; the ledger knows three, and one with the very manifest it has."""
    cloud.airflow.prepare(cloud.environment())
    source, platform = load_source("github"), Platform.from_env()
    blobs = []
    for partition in (CHANGED, UNCHANGED, OVERDUE, UNKNOWN):
        bucket, (prefix,) = source.prefixes(partition)
        for name in ("events.json.gz", "_SUCCESS"):
            blobs.append(storage.Client().bucket(bucket).blob(prefix + name))
            blobs[-1].upload_from_string(b"")
    frozen = look(where_of(source, platform, UNCHANGED, "google_cloud_default"), NOW)[1]["hash"]
    for partition, manifest in ((CHANGED, "old"), (UNCHANGED, frozen), (OVERDUE, "old")):
        row = LedgerRow(
            source="github", partition=partition.key, landing_hour=partition.start, grain="hour",
            state="published", run_id=f"sweep-{partition.key}", attempt=1, recorded_at=partition.end,
            manifest_hash=manifest, objects=0, lines=10, published_rows=10, event_dates=(NOW.date(),),
        )  # fmt: skip
        append(client, platform, row)
    yield
    for blob in blobs:
        blob.delete()


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
    assert f"github {CHANGED.key}: run rerun__{CHANGED.key} was cleared or created" in first
    assert f"github {OVERDUE.key}: files came after the late window" in first
    for quiet in (UNCHANGED, UNKNOWN):
        assert f"github {quiet.key}:" not in first
    runs = json.loads(airflow("dags", "list-runs", "github", "-o", "json").splitlines()[-1])
    assert [r["run_id"] for r in runs if r["run_id"].startswith("rerun__")] == [f"rerun__{CHANGED.key}"]

    awaited = start_batch(CHANGED)  # its run is queued: the refine task's first try will attach to it
    second = airflow("dags", "test", "hourglass_sweeper")
    assert batch_state(awaited) in ("PENDING", "RUNNING")
    BatchHook().cancel(Platform.from_env().project, Platform.from_env().region, awaited)
    assert f"github {CHANGED.key}: run rerun__{CHANGED.key} is in flight" in second
    assert f"github {OVERDUE.key}:" not in second
    rows = states(client, Platform.from_env(), "github", OVERDUE.start, OVERDUE.end)
    assert [(r["state"], r["published_rows"], r["manifest_hash"]) for r in rows] == [("overdue", 10, "old")]
    (warning,) = json.loads(rows[0]["warnings"])
    assert f"""airflow dags trigger github --conf '{{"partition": "{OVERDUE.key}"}}'""" in warning
    alerts = [json.loads(line) for line in cloud.layout.alerts.read_text().splitlines()]
    assert [a["severity"] for a in alerts if OVERDUE.key in a["title"]] == ["warning"]


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
