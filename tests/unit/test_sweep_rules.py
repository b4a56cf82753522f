"""What the sweeper makes of a listing: taken in, too late, or gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hourglass.partition import Grain, Partition, SourceObject
from hourglass.partition.completeness import Verdict
from hourglass.partition.sweep import REMOVED_FOR, Change, first_new, judge, judge_missing

HOUR = Partition(datetime(2021, 7, 21, 6, tzinfo=UTC), Grain.HOUR)
WINDOW = timedelta(hours=4)
CLOSES = HOUR.end + WINDOW
objects = st.lists(
    st.builds(
        SourceObject,
        st.sampled_from("abc"),
        st.integers(1, 3),
        st.just(1),
        st.none() | st.datetimes(datetime(2021, 1, 1), datetime(2022, 1, 1), timezones=st.just(UTC)),
    ),
    max_size=6,
)


@given(st.none() | st.text(), st.text(), st.timedeltas(timedelta(0), timedelta(days=8)))
def test_a_change_is_late_or_overdue_by_when_it_came(
    processed: str | None, found: str, after: timedelta
) -> None:
    change = judge(processed, found, HOUR.end + after, HOUR, WINDOW)
    if processed == found:
        assert change is Change.NONE
    else:
        assert change is (Change.LATE if after <= WINDOW else Change.OVERDUE)


@given(objects, objects)
def test_the_first_object_that_was_not_processed_tells_when_a_change_came(
    found: list[SourceObject], processed: list[SourceObject]
) -> None:
    new = [o for o in found if not any((o.name, o.generation) == (p.name, p.generation) for p in processed)]
    came = first_new(found, processed)
    times = [o.updated for o in new if o.updated]
    assert came == (sorted(times)[0] if times else None)


def test_a_replaced_object_is_new_and_an_unchanged_one_is_not() -> None:
    early, late = HOUR.end, CLOSES + timedelta(hours=1)
    before = [SourceObject("a", 1, 5, early), SourceObject("b", 1, 5, early)]
    assert first_new([SourceObject("a", 1, 5, early), SourceObject("b", 2, 5, late)], before) == late
    assert first_new(before[:1], before) is None  # one was removed, none is new


@pytest.mark.parametrize("state", ["published", "skipped", "overdue", "failed"])
@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("count", [None, 0, 2])
@pytest.mark.parametrize("late", [timedelta(0), REMOVED_FOR, REMOVED_FOR + timedelta(seconds=1)])
def test_objects_are_missed_where_their_rows_are_published(
    state: str, verdict: Verdict, count: int | None, late: timedelta
) -> None:
    change = judge_missing(verdict, {"state": state, "objects": count}, HOUR, WINDOW, CLOSES + late)
    gone = verdict is Verdict.MISSING and state != "failed" and count == 2 and late <= REMOVED_FOR
    assert change is (Change.REMOVED if gone else Change.NONE)
