"""A file that comes after the late window: reported, and taken in by the command that the report names."""

from __future__ import annotations

import json
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from local.cloud import Cloud
from tests.kills.hour import SOURCE, Hour
from tests.kills.setting import ROOT, warm

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
SWEEPER = "hourglass_sweeper"


def ledger_row(hour: Hour) -> dict[str, Any]:
    sql = "SELECT * FROM ops.partition_ledger WHERE source = 'github' AND landing_hour = @start"
    start = bigquery.ScalarQueryParameter("start", "TIMESTAMP", hour.start)
    config = bigquery.QueryJobConfig(query_parameters=[start])
    (row,) = bigquery.Client(location="US").query(sql, job_config=config).result()
    return dict(row.items())


def run_command(command: str) -> None:
    done = subprocess.run(
        shlex.split(command), capture_output=True, text=True, check=False, timeout=300, cwd=ROOT
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_the_command_that_the_ledger_names_takes_in_an_overdue_file(cloud: Cloud, tmp_path: Path) -> None:
    hour = Hour(f"{datetime.now(tz=UTC) - timedelta(hours=8):%Y-%m-%dT%H}", tmp_path)
    hour.land("A")
    with warm(cloud, tmp_path) as airflow:
        airflow.call("schedule", dag_id=SOURCE, starts=[hour.start])
        airflow.call("settle", dag_id=SOURCE)
        hour.land("B")
        airflow.call("schedule", dag_id=SWEEPER, starts=[hour.start])
        airflow.call("settle")
        row = ledger_row(hour)
        assert row["state"] == "overdue"
        assert set(hour.tables().values()) == {"A"}

        (warning,) = json.loads(row["warnings"])
        run_command(warning.partition("To take them in: ")[2])
        airflow.call("settle", dag_id=SOURCE)
        (run,) = [r for r in airflow.call("runs", dag_id=SOURCE) if r.logical_date == hour.start]
    assert run.tries["sense.admit"] == 2, "the partition's own run did not run again"
    assert set(hour.shown().values()) == {"B"}
    row, expected = ledger_row(hour), hour.expected["B"]
    counts = (row["lines"], row["published_rows"], row["quarantined"])
    assert row["state"] == "published"
    assert counts == (expected.lines, len(expected.silver), expected.quarantined.total())
