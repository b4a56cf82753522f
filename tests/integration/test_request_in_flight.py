"""A request for a partition whose run is in flight is not forgotten: Airflow's own components, one run that waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from hourglass.cli import quarantine
from hourglass.partition import Grain, Partition
from tests.kills.real_airflow import RealAirflow, real_airflow

pytestmark = pytest.mark.cloud
DAG = "github"
# Within its late window and without a file, so that its run waits; no schedule makes one.
WANTED = Partition.containing(datetime.now(tz=UTC) - timedelta(hours=2), Grain.HOUR)
OWN = f"rerun__{WANTED.key}"
PATIENCE_SECONDS = 240.0


@pytest.fixture
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAirflow]:
    with real_airflow(tmp_path_factory.mktemp("request"), (DAG,), {}) as found:
        found.unpause(DAG)
        yield found


def task(airflow: RealAirflow, run_id: str, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = airflow.ask("GET", f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/{task_id}")
    return found


def reaches(airflow: RealAirflow, run_id: str, task_id: str, state: str, tries: int = 1) -> None:
    def there() -> bool:
        found = task(airflow, run_id, task_id)
        return (found["state"], found["try_number"]) == (state, tries)

    airflow.wait(there, PATIENCE_SECONDS, f"{task_id} of {run_id} is not {state} in try {tries}")


def request(airflow: RealAirflow) -> str:
    """What the Trigger button does."""
    asked = {"logical_date": datetime.now(tz=UTC).isoformat(), "conf": {"partition": WANTED.key}}
    return str(airflow.ask("POST", f"/dags/{DAG}/dagRuns", json=asked)["dag_run_id"])


def test_a_request_waits_until_the_partitions_run_can_take_in_what_has_landed(
    airflow: RealAirflow, capsys: pytest.CaptureFixture[str]
) -> None:
    reaches(airflow, request(airflow), "sense.admit", "success")
    reaches(airflow, OWN, "sense.wait", "deferred")

    # As `quarantine replay` asks, whose object this run may have missed.
    scene: Any = SimpleNamespace(
        deployment=SimpleNamespace(source=SimpleNamespace(id=DAG)), partition=WANTED, title=WANTED.key
    )
    quarantine._run(scene, True)
    said = capsys.readouterr().out
    assert "after the end of one in flight" in said
    second = said.split("as run ", 1)[1].split(" of DAG", 1)[0]
    reaches(airflow, second, "sense.admit", "deferred")
    third = request(airflow)
    reaches(airflow, third, "sense.admit", "deferred")
    assert task(airflow, OWN, "sense.admit")["try_number"] == 1

    airflow.ask("PATCH", f"/dags/{DAG}/dagRuns/{OWN}", json={"state": "failed"})
    # Whichever of the two asks first has it cleared; the other sees that it has begun since.
    for waiting in (second, third):
        reaches(airflow, waiting, "sense.admit", "success")
        assert task(airflow, waiting, "sense.wait")["state"] == "skipped"
    reaches(airflow, OWN, "sense.wait", "deferred", tries=2)
    assert task(airflow, OWN, "sense.admit")["try_number"] == 2
