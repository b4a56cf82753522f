"""`airflow backfill create` over hours never run, already run, running now and missing, in each of its behaviours.

`make kill-matrix` runs it; in `make concurrency` Airflow's own scheduler makes the runs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.cloud import Cloud
from tests.chaos.warm import WarmAirflow
from tests.kills.hour import SOURCE, Hour
from tests.kills.setting import warm

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
RUN, RUNNING, NEVER, MISSING = (f"2021-07-23T{hour:02}" for hour in (12, 13, 14, 15))


@pytest.fixture(scope="module")
def airflow(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmAirflow]:
    with warm(cloud, tmp_path_factory.mktemp("backfill")) as found:
        yield found


@pytest.fixture(scope="module")
def hours(airflow: WarmAirflow, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Hour]:
    """Four hours: run, running (its batch has been made), never run, and without a file."""
    folder = tmp_path_factory.mktemp("hours")
    made = {key: Hour(key, folder) for key in (RUN, RUNNING, NEVER, MISSING)}
    for key in (RUN, RUNNING, NEVER):
        made[key].land("A")
    airflow.call("sync")
    airflow.call("schedule", dag_id=SOURCE, starts=[made[RUN].start])
    airflow.call("settle", dag_id=SOURCE)
    airflow.call("schedule", dag_id=SOURCE, starts=[made[RUNNING].start])
    airflow.call("settle", dag_id=SOURCE, stop_after="sense.wait")
    return made


def states(airflow: WarmAirflow) -> dict[str, tuple[str, int]]:
    """By partition: its one run's state, and the tries of its first task."""
    runs = airflow.call("runs", dag_id=SOURCE)
    found = {f"{r.logical_date:%Y-%m-%dT%H}": (r.state, r.tries["sense.admit"]) for r in runs}
    assert len(found) == len(runs), "a partition has two runs"
    return {key: found[key] for key in (RUN, RUNNING, NEVER, MISSING) if key in found}


def backfill(airflow: WarmAirflow, hours: dict[str, Hour], reprocess: str) -> None:
    first, last = hours[RUN].start, hours[MISSING].start
    airflow.call("backfill", dag_id=SOURCE, first=first, last=last, reprocess=reprocess)
    airflow.call("settle", dag_id=SOURCE)


def test_hours_that_have_a_run_are_left_alone(airflow: WarmAirflow, hours: dict[str, Hour]) -> None:
    backfill(airflow, hours, "none")
    found = states(airflow)
    assert found[RUN] == ("success", 1)
    assert found[RUNNING] == ("success", 1)
    assert found[NEVER] == ("success", 1)
    assert found[MISSING][0] == "failed"
    for key in (RUN, RUNNING, NEVER):
        assert set(hours[key].tables().values()) == {"A"}, key


def test_an_hour_whose_files_came_is_taken_in_by_failed(airflow: WarmAirflow, hours: dict[str, Hour]) -> None:
    hours[MISSING].land("A")
    backfill(airflow, hours, "failed")
    found = states(airflow)
    assert found[RUN] == ("success", 1)
    assert found[MISSING][0] == "success"
    assert set(hours[MISSING].tables().values()) == {"A"}


def test_completed_runs_an_hour_again_in_its_own_run(airflow: WarmAirflow, hours: dict[str, Hour]) -> None:
    hours[RUN].land("B")
    first = hours[RUN].start
    airflow.call("backfill", dag_id=SOURCE, first=first, last=first, reprocess="completed")
    airflow.call("settle", dag_id=SOURCE)
    assert states(airflow)[RUN] == ("success", 2)
    assert set(hours[RUN].tables().values()) == {"B"}
    assert set(hours[NEVER].tables().values()) == {"A"}
