"""The daily DAG as Airflow runs it, on a project of two models: a Sunday of github's hours in the ledger."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dbt_silver as silver
import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from google.cloud import bigquery, storage

from hourglass.config import Platform
from hourglass.ledger import LedgerRow
from hourglass.ledger.day import QUERY
from hourglass.ledger.store import TABLE, ensure
from hourglass.operators.failing_rows import show_failing_rows
from hourglass.operators.wait_for_day import DayTrigger
from hourglass.partition import Grain, Partition
from hourglass.partition.sweep import partitions_between
from tests.faults.proxy import FaultProxy
from tests.faults.rules import Rule

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
ROOT = Path(__file__).resolve().parents[2]
PROJECT = "hourglass-daily"
DAY = Partition.parse("2021-07-25", Grain.DAY)  # a Sunday
HOURS = list(partitions_between(Grain.HOUR, DAY.start, DAY.end))
MODEL = """
{{ config(tags=["daily"], partition_by={"field": "event_date", "data_type": "date", "granularity": "day"}) }}
select event_date, actor.login as actor_login, count(*) as events
from {{ source("github", "github") }}
where {{ landing_hours_for(hourglass_event_dates(), "github") }}
    and {{ event_dates_predicate(hourglass_event_dates()) }}
group by event_date, actor_login
"""
DIMENSION = """
{{ config(tags=["daily"], require_partition_filter=false, partition_expiration_days=none) }}
select actor_login, sum(events) as events
from {{ ref("fct_actor_daily") }} where event_date >= date '1970-01-01' group by actor_login
"""
NOT_RUN = "select 1 as events  -- the model of a source that has not run yet\n"
PROPERTIES = """
version: 2
models:
  - name: fct_actor_daily
    columns:
      - {name: event_date, data_type: date}
      - {name: actor_login, data_type: string}
      - {name: events, data_type: int64}
    data_tests:
      - holds:
          name: an_actor_acts_once
          arguments: {expression: events = 1}
          config: {severity: "{{ env_var('SEVERITY', 'warn') }}", where: __event_dates__, meta: {owner: ada}}
  - name: dim_actor
    columns:
      - {name: actor_login, data_type: string}
      - {name: events, data_type: int64}
  - name: fct_of_another_source
    config: {tags: [another_source], partition_expiration_days: null, require_partition_filter: false}
    columns:
      - {name: events, data_type: int64}
"""


@pytest.fixture(scope="module")
def include(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The source github alone, and a dbt project of two daily models; the variables that name them."""
    folder = tmp_path_factory.mktemp("daily") / "include"
    for name in ("sources/github.yaml", "schemas/github", "sql"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(ROOT / "include" / name)
    (folder / "warehouse.yaml").write_text(
        "exports: {weekday: sunday}\n"
    )  # its views have tests of their own
    shipped, project = ROOT / "include/dbt", folder / "dbt"
    core = project / "models/marts/core"
    core.mkdir(parents=True)
    for name in ("macros", "tests"):
        shutil.copytree(shipped / name, project / name)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(shipped / name, project)
    shutil.copy(shipped / "models/staging/github/_github__sources.yml", core)
    (core / "fct_actor_daily.sql").write_text(MODEL)
    (core / "dim_actor.sql").write_text(DIMENSION)
    (core / "fct_of_another_source.sql").write_text(NOT_RUN)
    (core / "_core__models.yml").write_text(PROPERTIES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOURGLASS_PROJECT", PROJECT)
        patch.setenv("HOURGLASS_INCLUDE", str(folder))
        dbt(project, "parse")
        yield folder


def dbt(project: Path, *command: str, **variables: str) -> str:
    places = ["--project-dir", project, "--profiles-dir", project]
    done = subprocess.run(
        [ROOT / ".venv/bin/dbt", *command, *places],
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **variables},
    )  # fmt: skip
    return done.stdout


@pytest.fixture(scope="module")
def client(include: Path) -> bigquery.Client:
    """Two published hours of the day, and the ledger of all its hours but the last."""
    client = bigquery.Client(project=PROJECT)
    silver.create_table(client)
    at = "2021-07-25T06:10:00Z"
    rows = [silver.silver_row(silver.event(str(n), at), "2021-07-25T06:00:00Z", "gs://a", n) for n in (1, 2)]
    silver.publish(client, "2021-07-25T06:00:00Z", rows)
    ensure(client, Platform.from_env())
    record(client, HOURS[:-1])
    return client


def record(client: bigquery.Client, partitions: list[Partition]) -> None:
    rows = [
        LedgerRow(
            source="github", partition=p.key, landing_hour=p.start, grain="hour", state="published", run_id=p.key,
            attempt=1, recorded_at=p.end, event_dates=(date(2021, 7, 25),) if p.start.hour == 6 else (),
        )
        for p in partitions
    ]  # fmt: skip
    table = client.get_table(TABLE)
    config = bigquery.LoadJobConfig(schema=table.schema, write_disposition="WRITE_APPEND")
    client.load_table_from_json([r.json_values() for r in rows], table.reference, job_config=config).result()


def test_the_trigger_waits_until_the_last_hour_is_recorded(client: bigquery.Client, include: Path) -> None:
    where: dict[str, Any] = {
        "day": DAY.key,
        "sources": {"github": ("hour", datetime(2015, 1, 1, tzinfo=UTC).isoformat())},
        "share": 1.0,
        "give_up_after": timedelta(days=10_000).total_seconds(),
        "sql": (include / QUERY).read_text(),
        "project": PROJECT,
        "location": "US",
        "gcp_conn_id": "google_cloud_default",
    }
    recording = threading.Event()

    def record_last() -> None:
        recording.set()  # the trigger may see the row before its writer has its answer
        record(client, HOURS[-1:])

    last = threading.Timer(2.0, record_last)
    last.start()

    async def first() -> Any:
        async for event in DayTrigger(where, poll_seconds=0.2).run():
            return event.payload, recording.is_set()
        raise AssertionError("the trigger ended without an event")

    assert asyncio.run(asyncio.wait_for(first(), timeout=60)) == ({"verdict": "ready"}, True)
    last.join()


@pytest.fixture(scope="module")
def ran(client: bigquery.Client, cloud: Any) -> str:
    """The log of the day's run."""
    cloud.airflow.prepare(cloud.environment())
    done = subprocess.run(
        ["airflow", "dags", "test", "hourglass_daily", DAY.key],
        capture_output=True, text=True, check=False, timeout=540, cwd=ROOT,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-6000:]
    assert "state=success" in said, said[-6000:]
    return said


def test_it_computes_the_event_dates_of_the_ledger(ran: str, client: bigquery.Client) -> None:
    assert "24 partitions are settled; event dates 2021-07-25" in ran
    rows = client.query_and_wait("SELECT * FROM gold.fct_actor_daily WHERE event_date >= '1970-01-01'")
    assert [tuple(r.values()) for r in rows] == [(date(2021, 7, 25), "ada", 2)]
    assert [tuple(r.values()) for r in client.query_and_wait("SELECT * FROM gold.dim_actor")] == [("ada", 2)]


def test_its_models_find_the_tables_of_a_platform_on_which_nobody_has_decided_yet(
    ran: str, client: bigquery.Client
) -> None:
    assert client.get_table("ops.quarantine_actions").num_rows == 0


def test_it_publishes_the_documentation(ran: str) -> None:
    bucket = storage.Client().bucket(os.environ["HOURGLASS_OPS_BUCKET"])
    catalog = json.loads(bucket.blob("docs/dbt/catalog.json").download_as_text())
    assert catalog["nodes"]["model.hourglass.fct_actor_daily"]["columns"].keys() == {
        "event_date", "actor_login", "events",
    }  # fmt: skip
    assert "model.hourglass.dim_actor" in bucket.blob("docs/dbt/manifest.json").download_as_text()
    assert "<html" in bucket.blob("docs/dbt/index.html").download_as_text()[:500].lower()


def test_it_copies_the_week_for_recovery(ran: str, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    bucket = storage.Client().bucket(os.environ["HOURGLASS_OPS_BUCKET"])
    copied = {}
    for table in ("fct_actor_daily", "dim_actor"):
        found = list(bucket.list_blobs(prefix=f"exports/gold/{table}/2021-07-25/"))
        (tmp_path / table).write_bytes(found[0].download_as_bytes())
        copied[table] = pq.read_table(tmp_path / table).to_pylist()
    assert copied == {
        "fct_actor_daily": [{"event_date": date(2021, 7, 25), "actor_login": "ada", "events": 2}],
        "dim_actor": [{"actor_login": "ada", "events": 2}],
    }


def test_it_copies_no_table_that_nobody_has_built(ran: str) -> None:
    assert "gold.fct_of_another_source is not there: its model has not run yet" in ran


def test_a_test_that_warns_is_told_and_its_rows_are_kept(
    ran: str, client: bigquery.Client, cloud: Any
) -> None:
    alerts = [json.loads(line) for line in cloud.layout.alerts.read_text().splitlines()]
    (alert,) = [a for a in alerts if a["title"] == "dbt tests warn in hourglass_daily"]
    assert alert["text"].startswith("an_actor_acts_once of ada: 1 rows in test_failures.an_actor_acts_once")
    assert '"actor_login": "ada", "events": 2' in alert["text"]
    kept = client.query_and_wait("SELECT actor_login, events FROM test_failures.an_actor_acts_once")
    assert [tuple(row.values()) for row in kept] == [("ada", 2)]


def test_a_test_that_fails_shows_its_rows_in_the_message(ran: str, include: Path) -> None:
    project = include / "dbt"
    dbt(project, "build", "-s", "fct_actor_daily", SEVERITY="error", HOURGLASS_EVENT_DATES="2021-07-25")
    with pytest.raises(AirflowException) as caught:
        show_failing_rows(Platform.from_env(), str(project), context={"task": None})
    message = str(caught.value)
    assert "an_actor_acts_once of ada: 1 rows in test_failures.an_actor_acts_once, such as" in message
    assert '{"event_date": "2021-07-25", "actor_login": "ada", "events": 2}' in message
    assert "docs/runbook.md#dbt-test-failed" in message


def test_a_model_that_may_not_read_fails_for_good(
    client: bigquery.Client, include: Path, proxy: FaultProxy
) -> None:
    words = "Access Denied: Table shop:gold.x: User does not have permission to query table shop:gold.x."
    refusal = {"code": 403, "message": words, "errors": [{"reason": "accessDenied", "message": words}]}
    answer = json.dumps({"error": refusal})
    proxy.add(Rule("bigquery", "answer", method="POST", path="/jobs", status=403, text=answer, last=0))
    project = include / "dbt"
    said = dbt(project, "run", "-s", "dim_actor", HOURGLASS_EVENT_DATES="2021-07-25")
    with pytest.raises(AirflowFailException) as caught:
        show_failing_rows(
            Platform.from_env(), str(project), context={"task": BaseOperator(task_id="dim_actor")}
        )
    message = str(caught.value)
    assert " lacks query table shop:gold.x on Table shop:gold.x: " in message, said
    assert "docs/runbook.md#permission-denied" in message
