"""Whole DAGs by `airflow dags test`, their results compared with a count of the raw files in plain Python."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery, storage

from hourglass.cloud import bigtable
from hourglass.features.heads import TABLE
from hourglass.partition import Partition
from hourglass.partition.features import entity_of, row_key, suffix
from tests.e2e.oracle import Expected, expect, partition_start

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "include/samples/github/year=2021/month=07/day=21"
TABLES = {
    "silver.github": "landing_hour",
    "quarantine.github": "landing_hour",
    "gold.fct_github_events": "event_date",
    "gold.fct_github_repo_daily": "event_date",
    "gold.mv_github_hourly_events": "event_date",
}


def land(key: str, files: dict[str, bytes]) -> None:
    start = partition_start(key)
    prefix = f"github/{start:year=%Y/month=%m/day=%d/hour=%H}/"
    bucket = storage.Client().bucket("hourglass-raw")
    for name, content in files.items():
        bucket.blob(prefix + name).upload_from_string(content)


def run(key: str) -> subprocess.CompletedProcess[str]:
    """One `airflow dags test` in an interpreter of its own, as a user runs it."""
    return subprocess.run(
        ["airflow", "dags", "test", "github", f"{key}:00:00"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        cwd=ROOT,
    )


def succeed(key: str) -> None:
    done = run(key)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


def query(sql: str, key: str | None = None) -> list[dict[str, Any]]:
    parameters = [bigquery.ScalarQueryParameter("hour", "TIMESTAMP", partition_start(key))] if key else []
    client = bigquery.Client(location="US")
    rows = client.query(sql, job_config=bigquery.QueryJobConfig(query_parameters=parameters)).result()
    return [dict(r.items()) for r in rows]


def checksum(rows: list[dict[str, Any]]) -> str:
    return hashlib.sha256("\n".join(sorted(repr(sorted(r.items())) for r in rows)).encode()).hexdigest()


def table_checksums(keep: str = "TRUE") -> dict[str, str]:
    every = {
        "landing_hour": "landing_hour >= TIMESTAMP '1970-01-01'",
        "event_date": "event_date >= '1970-01-01'",
    }
    return {
        table: checksum(query(f"SELECT * FROM {table} WHERE {every[column]} AND {keep}"))
        for table, column in TABLES.items()
    }


def feature_cells() -> dict[bytes, Any]:
    """Every cell of the feature set with its timestamp, by row key."""
    found = bigtable.instance(os.environ["HOURGLASS_PROJECT"], os.environ["HOURGLASS_BIGTABLE_INSTANCE"])
    return {
        row.row_key: {
            (name, cell.timestamp_micros): cell.value
            for name, cells in row.cells.get("github_actor", {}).items()
            for cell in cells
        }
        for row in found.table(TABLE).read_rows()
    }


def features_at(key: str) -> dict[str, dict[str, Any]]:
    """The features pushed by one partition, decoded, by entity."""
    at = Partition.parse(key).as_of_ms * 1000
    found: dict[str, dict[str, Any]] = {}
    for row, cells in feature_cells().items():  # an entity has a row for each partition
        values = {n.decode(): json.loads(v) for (n, t), v in cells.items() if t == at}
        if values:
            found[entity_of(row)] = values
    return found


def verify(key: str, expected: Expected) -> None:
    """Everything that a partition left, against the oracle."""
    rows = query("SELECT * FROM silver.github WHERE landing_hour = @hour", key)
    assert {r["id"] for r in rows} == set(expected.silver)
    assert len(rows) == len(expected.silver)
    for row in rows:
        event = expected.silver[row["id"]]
        assert row["type"] == event["type"]
        assert row["actor"]["login"] == event["actor"]["login"]
        assert row["repo"]["name"] == event["repo"]["name"]
        assert json.loads(row["payload"]) == event["payload"]
        assert row["created_at"].strftime("%Y-%m-%dT%H:%M:%SZ") == event["created_at"]
        assert row["repo_owner"] == event["repo"]["name"].split("/")[0]
        assert (row["org"] or {}).get("login") == event.get("org", {}).get("login")
    reasons = query(
        "SELECT reason, COUNT(*) AS n FROM quarantine.github WHERE landing_hour = @hour GROUP BY 1", key
    )
    assert Counter({r["reason"]: r["n"] for r in reasons}) == expected.quarantined
    view = query(
        "SELECT event_type, SUM(events) AS n FROM gold.mv_github_hourly_events "
        "WHERE landing_hour = @hour GROUP BY 1",
        key,
    )
    fact = query(
        "SELECT event_type, COUNT(*) AS n FROM gold.fct_github_events "
        "WHERE landing_hour = @hour AND event_date >= '1970-01-01' GROUP BY 1",
        key,
    )
    assert {r["event_type"]: r["n"] for r in view} == {r["event_type"]: r["n"] for r in fact}
    wanted = expected.features()
    pushed = features_at(key)
    assert set(pushed) == set(wanted)
    for entity, values in wanted.items():
        assert {k: pushed[entity][k] for k in values} == values, entity
    ledger = query(
        "SELECT * FROM ops.partition_ledger WHERE landing_hour = @hour ORDER BY recorded_at DESC LIMIT 1", key
    )[0]
    assert ledger["state"] == "published"
    assert ledger["lines"] == expected.lines
    assert ledger["silver"] == ledger["published_rows"] == len(expected.silver)
    assert ledger["quarantined"] == sum(expected.quarantined.values())
    assert ledger["duplicates"] == expected.duplicates
    assert ledger["feature_rows"] == len(wanted)
    assert set(json.loads(ledger["timings"])) >= {"sense", "refine", "gate", "publish", "transform", "serve"}


@pytest.fixture(scope="module")
def two_hours(cloud: Any) -> None:
    cloud.airflow.prepare(cloud.environment())
    for hour in ("06", "07"):
        name = "events-000.json.gz"
        land(f"2021-07-21T{hour}", {name: (SAMPLES / f"hour={hour}" / name).read_bytes()})
        succeed(f"2021-07-21T{hour}")


@pytest.mark.parametrize("hour", ["06", "07"])
def test_a_real_hour_equals_an_independent_count(two_hours: None, hour: str) -> None:
    key = f"2021-07-21T{hour}"
    expected = expect([SAMPLES / f"hour={hour}/events-000.json.gz"], partition_start(key))
    assert expected.lines == 200
    verify(key, expected)


def test_a_second_run_leaves_everything_as_it_was(two_hours: None) -> None:
    tables, cells = table_checksums(), feature_cells()
    assert len(cells) > 100
    succeed("2021-07-21T06")
    assert table_checksums() == tables
    assert feature_cells() == cells


def test_bad_lines_and_duplicates_are_accounted_for(two_hours: None, cloud: Any, tmp_path: Path) -> None:
    """An hour of damage: only its own partition changes, and what landed earlier keeps its events."""
    key = "2021-07-21T08"
    lines = gzip.decompress((SAMPLES / "hour=07/events-000.json.gz").read_bytes()).splitlines()
    events = [json.loads(line) for line in lines]
    fresh = [json.dumps({**e, "id": f"9{e['id']}"}).encode() for e in events[:50]]
    # A type and a field that nobody has seen before are let in, recorded and reported.
    fresh[10] = json.dumps({**events[10], "id": "novel", "type": "NovelEvent", "novelty": {"n": 1}}).encode()
    bad = [
        b"", b"not json", fresh[0][:-20], fresh[0] + b" {}", b'{"id": "\xff"}',
        json.dumps({**events[0], "id": None}).encode(),
        json.dumps({**events[0], "actor": {"login": "no-id"}}).encode(),
        json.dumps({**events[0], "actor": {**events[0]["actor"], "id": "many"}}).encode(),
        json.dumps({**events[0], "created_at": "2021-01-01T00:00:00Z"}).encode(),
        json.dumps({**events[0], "actor": {"id": 5}}).encode(),
        json.dumps({**events[0], "repo": {**events[0]["repo"], "name": "no-slash"}}).encode(),
    ]  # fmt: skip
    files = {
        "a.json.gz": gzip.compress(b"\n".join(fresh[:30] + bad + fresh[:3]) + b"\n"),
        "b.json.gz": gzip.compress(b"\n".join(fresh[25:] + lines[:7]) + b"\n"),
        "empty.json.gz": gzip.compress(b""),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    expected = expect(list(tmp_path.glob("*.gz")), partition_start(key))
    assert (len(expected.silver), expected.duplicates, sum(expected.quarantined.values())) == (57, 8, 11)
    others = "landing_hour < TIMESTAMP '2021-07-21 08:00:00'"
    before = {
        t: checksum(query(f"SELECT * FROM {t} WHERE {others}"))
        for t in ("silver.github", "quarantine.github")
    }
    fact = query("SELECT * FROM gold.fct_github_events WHERE event_date >= '1970-01-01'")

    land(key, files)
    succeed(key)
    verify(key, expected)
    (novel,) = query("SELECT * FROM silver.github WHERE landing_hour = @hour AND id = 'novel'", key)
    assert json.loads(novel["unknown_fields"]) == {"novelty": {"n": 1}}
    (ledger,) = query("SELECT warnings FROM ops.partition_ledger WHERE landing_hour = @hour", key)
    assert "NovelEvent" in ledger["warnings"]
    alerts = [json.loads(line) for line in cloud.layout.alerts.read_text().splitlines()]
    assert [a["severity"] for a in alerts if key in a["title"]] == ["warning"]
    for table, was in before.items():
        assert checksum(query(f"SELECT * FROM {table} WHERE {others}")) == was, table
    # The seven events that had landed at 07 already stay with 07: the earliest landing wins.
    after = query("SELECT * FROM gold.fct_github_events WHERE event_date >= '1970-01-01'")
    assert len(after) == len(fact) + 50
    earlier = {r["event_id"]: r["landing_hour"] for r in fact}
    assert all(r["landing_hour"] == earlier[r["event_id"]] for r in after if r["event_id"] in earlier)


def test_a_late_file_ends_in_the_same_rows_as_one_clean_run(two_hours: None, tmp_path: Path) -> None:
    key = "2021-07-21T09"
    lines = gzip.decompress((SAMPLES / "hour=06/events-000.json.gz").read_bytes()).splitlines()
    renamed = [json.dumps({**json.loads(x), "id": f"8{json.loads(x)['id']}"}).encode() for x in lines[:40]]
    first, late = (
        gzip.compress(b"\n".join(renamed[:25]) + b"\n"),
        gzip.compress(b"\n".join(renamed[20:]) + b"\n"),
    )
    land(key, {"part-1.json.gz": first})
    succeed(key)
    land(key, {"part-2.json.gz": late})
    succeed(key)
    for name, content in (("part-1.json.gz", first), ("part-2.json.gz", late)):
        (tmp_path / name).write_bytes(content)
    expected = expect(list(tmp_path.glob("*.gz")), partition_start(key))
    assert (expected.lines, len(expected.silver), expected.duplicates) == (45, 40, 5)
    verify(key, expected)
    generations = query("SELECT generation FROM ops.partition_ledger WHERE landing_hour = @hour", key)
    assert sorted(r["generation"] for r in generations) == [1, 2]


def test_an_hour_that_breaks_an_expectation_is_not_published(two_hours: None) -> None:
    key = "2021-07-21T10"
    event = json.loads(gzip.decompress((SAMPLES / "hour=07/events-000.json.gz").read_bytes()).splitlines()[0])
    wrong = json.dumps({**event, "id": "77", "type": "no such shape"}).encode()
    land(key, {"a.json.gz": gzip.compress(wrong + b"\n")})
    tables, cells = table_checksums(), feature_cells()
    done = run(key)
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "runbook: docs/runbook.md#expectations-not-met" in output
    assert "ExpectColumnValuesToMatchRegex" in output or "expect_column_values_to_match_regex" in output
    assert table_checksums() == tables
    assert feature_cells() == cells
    (row,) = query("SELECT state, failed_stage FROM ops.partition_ledger WHERE landing_hour = @hour", key)
    assert row == {"state": "failed", "failed_stage": "gate"}


def test_an_hour_without_files_fails_with_what_to_do(two_hours: None) -> None:
    done = run("2021-07-21T03")
    output = done.stdout + done.stderr
    assert done.returncode != 0
    assert "2021-07-21T03 is incomplete: 0 objects are there" in output
    assert "gs://hourglass-raw/github/year=2021/month=07/day=21/hour=03/" in output
    assert "runbook: docs/runbook.md#partition-missing" in output


def test_a_row_key_spreads_load() -> None:
    assert row_key("octocat", suffix(0)).split(b"#")[1] == b"octocat"
    assert len({row_key(f"user{i}", suffix(0))[:4] for i in range(300)}) > 290
