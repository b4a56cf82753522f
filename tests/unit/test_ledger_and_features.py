"""What one attempt came to, and the record that makes a killed push harmless."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError
from hypothesis import given
from hypothesis import strategies as st

from hourglass.cloud.dataproc import Family
from hourglass.dag import partition_param
from hourglass.ledger import summarize
from hourglass.operators.push_plan import span_ms
from hourglass.partition import Grain, Partition
from hourglass.partition.features import (
    Generation,
    Head,
    cell_value,
    entity_of,
    entity_prefix,
    feature_value,
    gone,
    row_key,
    suffix,
)
from hourglass.run import own_partition, partition_of, requested_partition

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
HOUR_MS = 3_600_000
SIX_MS = 1_626_850_800_000
TIMES = st.integers(1, 9_999_999_999_999 - 24 * HOUR_MS)
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


@given(st.lists(NAMES, max_size=4), st.lists(NAMES, max_size=4))
def test_what_earlier_pushes_may_have_written_and_this_one_has_not_is_gone(
    earlier: list[frozenset[str]], now: list[frozenset[str]]
) -> None:
    found = list(gone([iter(sorted(part)) for part in earlier], [iter(sorted(part)) for part in now]))
    assert found == sorted(frozenset().union(*earlier) - frozenset().union(*now))


@given(TEXT, TEXT)
def test_a_row_key_gives_its_entity_back_and_no_entity_is_anothers_prefix(one: str, other: str) -> None:
    key = row_key(one, suffix(SIX_MS))
    assert entity_of(key) == one
    assert key.startswith(entity_prefix(other)) == (one == other)


@given(TIMES, TIMES, st.sampled_from([0, HOUR_MS, 24 * HOUR_MS]))
def test_a_newer_time_sorts_first_and_a_span_shares_a_row(one: int, other: int, span: int) -> None:
    if one < other:
        assert suffix(one, span) >= suffix(other, span)
    if span:
        assert (suffix(one, span) == suffix(other, span)) == (-(-one // span) == -(-other // span))


def test_a_days_hours_share_a_row() -> None:
    day = Partition.parse("2021-07-21")
    hours = [Partition(day.start + timedelta(hours=i)) for i in range(25)]
    ends = [suffix(hour.as_of_ms, span_ms(hour, 24)) for hour in hours]
    assert ends[:24] == [suffix(day.as_of_ms)] * 24
    assert ends[24] != ends[0]
    assert span_ms(hours[0], 1) == 0


def test_a_span_never_holds_more_partitions_than_versions_are_kept() -> None:
    uneven = Partition.parse("2021-07-21T06", Grain.of("0 6,9,18 * * *"))
    assert span_ms(uneven, 2) == 6 * HOUR_MS


@given(TIMES, TIMES, st.integers(1, 999_999), st.integers(1, 999_999))
def test_a_newer_generation_is_greater_as_text_and_sorts_first_in_keys(
    one: int, other: int, first: int, second: int
) -> None:
    a, b = Generation(one, first), Generation(other, second)
    assert (a < b) == (str(a) < str(b)) == (a.suffix > b.suffix)
    assert Generation.parse(str(a)) == a


def test_a_head_is_read_back() -> None:
    head = Head("snapshot", Generation(5, 2), 0, {"items": [{"item": "STRING"}], "n": "INT64"})
    assert Head.from_json(head.to_json()) == head


def test_a_value_from_before_its_feature_changed_its_type_is_left_as_it_is() -> None:
    assert feature_value(b'"soon"', "TIMESTAMP") == "soon"
    assert feature_value(b'"1.20"', "NUMERIC") == Decimal("1.20")
    assert feature_value(b'{"a":1}', None) == {"a": 1}


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
