"""`make up`: Airflow's own components on loopback, its settings loaded, a login that works."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest
from local_instance import addresses_listened_on, working

from local import processes
from local.cloud import Cloud
from local.errors import LocalCloudError
from local.settings import read_settings
from tests.conftest import running_cloud

COMPONENTS = {"airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"}


@pytest.fixture(scope="module")
def own_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    for cloud in running_cloud(tmp_path_factory.mktemp("airflow")):
        cloud.up(airflow=True)
        yield cloud


def test_components_work_and_a_second_up_leaves_them_alone(own_cloud: Cloud) -> None:
    before = {found.part.name: found.state for found in working(own_cloud) if found.works}
    assert before.keys() >= COMPONENTS
    own_cloud.up()
    after = {found.part.name: found.state for found in working(own_cloud) if found.works}
    assert {n: s.pid for n, s in after.items() if s} == {n: s.pid for n, s in before.items() if s}


def test_login_and_settings(own_cloud: Cloud) -> None:
    url = own_cloud.variables()["AIRFLOW__API__BASE_URL"]
    login = {"username": "admin", "password": own_cloud.airflow.password()}
    token = httpx.post(f"{url}/auth/token", json=login, timeout=30).raise_for_status().json()["access_token"]
    answer = httpx.get(f"{url}/api/v2/pools", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    pools = {pool["name"]: pool for pool in answer.raise_for_status().json()["pools"]}
    assert pools["mv_github_hourly_events"]["slots"] == 1
    assert pools["mv_github_hourly_events"]["include_deferred"] is True
    assert httpx.get(f"{url}/api/v2/pools", timeout=30).status_code == 401


def test_trigger_hands_over_to_the_partitions_own_run(own_cloud: Cloud) -> None:
    """What the Trigger button does: it asks for a partition, and only that partition's one run works."""
    url = own_cloud.variables()["AIRFLOW__API__BASE_URL"]
    login = {"username": "admin", "password": own_cloud.airflow.password()}
    token = httpx.post(f"{url}/auth/token", json=login, timeout=30).json()["access_token"]
    api = httpx.Client(base_url=f"{url}/api/v2", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    asked = {"logical_date": datetime.now(tz=UTC).isoformat(), "conf": {"partition": "2021-07-21T03"}}

    def ended(run_id: str) -> dict[str, str]:
        """The states of a run's tasks, once the run has ended."""
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            run = api.get(f"/dags/github/dagRuns/{run_id}")
            if run.status_code == 200 and run.json()["state"] in ("success", "failed"):
                tasks = api.get(f"/dags/github/dagRuns/{run_id}/taskInstances").json()["task_instances"]
                return {t["task_id"]: t["state"] for t in tasks}
            time.sleep(1)
        raise AssertionError(f"{run_id} did not end")

    deadline = time.monotonic() + 120
    while api.patch("/dags/github", json={"is_paused": False}).status_code != 200:
        assert time.monotonic() < deadline, "the DAG processor did not find the DAG"
        time.sleep(1)
    answer = api.post("/dags/github/dagRuns", json=asked)
    assert answer.status_code == 200, answer.text
    asking = ended(answer.json()["dag_run_id"])
    assert asking.pop("sense.admit") == "success"
    assert set(asking.values()) == {"skipped"}
    # There are no files for that hour, so its own run fails at once, in the stage that says so.
    working = ended("rerun__2021-07-21T03")
    assert working["sense.admit"] == "success"
    assert working["sense.wait"] == "failed"
    own = api.get("/dags/github/dagRuns/rerun__2021-07-21T03").json()
    assert own["logical_date"] == "2021-07-21T03:00:00Z"
    assert api.patch("/dags/github", json={"is_paused": True}).status_code == 200


def test_nothing_listens_beyond_loopback(own_cloud: Cloud) -> None:
    assert len(processes.of_instance(own_cloud.layout.cloud)) > len(COMPONENTS)
    assert addresses_listened_on(own_cloud) == {"127.0.0.1"}


def test_down_leaves_no_component(own_cloud: Cloud) -> None:
    server = psutil.Process(own_cloud._supervisor.pid())
    family = [server, *server.children(recursive=True)]
    assert len(family) > len(COMPONENTS)
    own_cloud.down()
    assert [process for process in family if process.is_running()] == []


def test_changed_settings_are_loaded_again(own_cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "airflow_settings.yaml"
    file.write_text(
        "airflow:\n  pools:\n    - {pool_name: extra, pool_slot: 3}\n"
        "  variables:\n    - {variable_name: tone, variable_value: quiet}\n"
        "  connections:\n    - {conn_id: hook, conn_type: http, conn_host: localhost, conn_port: 81}\n"
    )
    own_cloud.airflow._settings = file
    own_cloud.airflow.prepare(own_cloud.environment())
    with sqlite3.connect(own_cloud.layout.airflow / "airflow.db") as database:
        assert database.execute("SELECT slots FROM slot_pool WHERE pool = 'extra'").fetchone() == (3,)
        connection = database.execute("SELECT conn_type, host, port FROM connection WHERE conn_id = 'hook'")
        assert connection.fetchone() == ("http", "localhost", 81)
        assert database.execute("SELECT key FROM variable").fetchall() == [("tone",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("airflow: [", "is not YAML"),
        ("pools: []", "no mapping `airflow:`"),
        ("airflow: {pools: [{a: 1}]}", "`pool_name`"),
    ],
)
def test_broken_settings_are_explained(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "airflow_settings.yaml"
    file.write_text(text)
    with pytest.raises(LocalCloudError, match=message):
        read_settings(file)
