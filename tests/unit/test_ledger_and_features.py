"""What one attempt came to, and the record that makes a killed push harmless."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError
from hypothesis import given
from hypothesis import strategies as st

from hourglass.cloud.dataproc import Family
from hourglass.dag import partition_param
from hourglass.ledger import summarize
from hourglass.partition import Grain
from hourglass.partition.features import PushRecord, cell_value, row_key
from hourglass.run import own_partition, partition_of, requested_partition

NAMES = st.frozensets(st.text("abc", min_size=1, max_size=2), max_size=6)


def task(task_id: str, state: str = "success", duration: float | None = 1.0) -> dict[str, Any]:
    return {"task_id": task_id, "state": state, "duration": duration}


def test_a_run_whose_tasks_all_succeeded_is_published() -> None:
    state, failed, seconds = summarize([task("sense.wait", duration=2.0), task("gate.a"), task("gate.b")])
    assert (state, failed) == ("published", None)
    assert seconds == {"sense": 2.0, "gate": 2.0}


def test_the_first_broken_stage_is_named() -> None:
    tasks = [
        task("sense.wait"),
        task("gate.account", "failed"),
        task("publish.silver", "upstream_failed", None),
    ]
    assert summarize(tasks)[:2] == ("failed", "gate")


def test_a_skipped_partition_is_no_failure() -> None:
    assert summarize([task("sense.wait", "skipped"), task("refine.run", "skipped", None)])[:2] == (
        "skipped",
        None,
    )


@given(NAMES, NAMES, NAMES)
def test_a_killed_push_leaves_a_record_of_all_it_may_have_written(
    there: frozenset[str], killed: frozenset[str], final: frozenset[str]
) -> None:
    """Whatever subset a killed push wrote, the next one removes everything it no longer has."""
    before = PushRecord(there)
    during = PushRecord.from_json(before.union(PushRecord(killed)).to_json())
    may_be_there = there | killed
    assert during.entities == may_be_there
    removed = during.entities - PushRecord(final).entities
    assert (may_be_there - removed) <= final


def test_no_record_is_an_empty_one() -> None:
    assert PushRecord.from_json(None) == PushRecord()


@given(st.text(min_size=1))
def test_a_row_key_ends_with_its_entity(entity: str) -> None:
    assert (
        row_key(entity)[4:] == b"#" + entity.encode("utf-8", "surrogatepass")
        if entity.isprintable()
        else True
    )


def test_times_are_written_in_utc() -> None:
    assert cell_value(datetime(2021, 7, 21, 6, tzinfo=UTC)) == b'"2021-07-21T06:00:00Z"'
    with pytest.raises(TypeError, match="cast it in the feature set's SQL"):
        cell_value(object())


def batch(name: str, state: str) -> Any:
    return SimpleNamespace(name=f"projects/p/locations/r/batches/{name}", state=SimpleNamespace(name=state))


@pytest.mark.parametrize(
    ("batches", "chosen"),
    [
        ([], ("f-1", False)),
        ([("f-1", "RUNNING")], ("f-1", True)),
        ([("f-1", "PENDING")], ("f-1", True)),
        ([("f-1", "SUCCEEDED")], ("f-2", False)),
        ([("f-1", "SUCCEEDED"), ("f-2", "FAILED")], ("f-3", False)),
        ([("f-10", "RUNNING"), ("f-9", "FAILED")], ("f-10", True)),
        ([("f-1", "CANCELLING")], ("f-2", False)),
        ([("g-7", "RUNNING"), ("f-x", "RUNNING")], ("f-1", False)),
    ],
)
def test_the_newest_batch_of_a_family_decides(
    batches: list[tuple[str, str]], chosen: tuple[str, bool]
) -> None:
    assert Family("f").choose([batch(*b) for b in batches]) == chosen


def context(logical: datetime | None, partition: str | None = None) -> dict[str, Any]:
    return {
        "dag_run": SimpleNamespace(logical_date=logical, run_id="r"),
        "params": {"partition": partition},
    }


SIX = datetime(2021, 7, 21, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("logical", "param", "own"),
    [
        (SIX, None, "2021-07-21T06"),
        (SIX, "2021-07-21T06", "2021-07-21T06"),
        (SIX, "2021-07-21T05", None),
        (SIX.replace(minute=20), None, None),
        (SIX.replace(second=1), "2021-07-21T06", None),
        (None, "2021-07-21T06", None),
        (None, None, None),
    ],
)
def test_only_a_run_dated_at_a_partitions_start_processes_it(
    logical: datetime | None, param: str | None, own: str | None
) -> None:
    found = own_partition(context(logical, param), Grain.HOUR)
    assert (found.key if found else None) == own
    if own is None:
        with pytest.raises(ValueError, match="make dag"):
            partition_of(context(logical, param), Grain.HOUR)


def test_the_form_asks_for_the_last_ended_partition_unless_told_otherwise() -> None:
    now = datetime(2021, 7, 21, 7, 30, tzinfo=UTC)
    assert requested_partition(context(None), Grain.HOUR, now).key == "2021-07-21T06"
    assert requested_partition(context(None, "2021-07-20T01"), Grain.HOUR, now).key == "2021-07-20T01"
    with pytest.raises(ValueError, match="are one hour"):
        requested_partition(context(None, "2021-07-20"), Grain.HOUR, now)


def test_the_trigger_form_is_valid_when_left_empty_and_refuses_a_number() -> None:
    # The DAG takes the form unchecked, since every check costs each source's parse.
    assert partition_param().resolve() is None
    with pytest.raises(ParamValidationError):
        partition_param().resolve(7)
