"""The usual number of rows: which hours count, and when there are too few of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hourglass.config.serving import Monitoring
from hourglass.partition.volume import expected_volume, history_range

START = datetime(2026, 1, 30, 6, tzinfo=UTC)
WEEK = timedelta(days=7)


def weeks(*rows: int) -> dict[datetime, int]:
    """Published rows one, two, … weeks before."""
    return {START - n * WEEK: r for n, r in enumerate(rows, 1)}


def test_bounds_are_a_fraction_of_the_median_of_the_same_hour_in_previous_weeks() -> None:
    volume = expected_volume(weeks(100, 90, 1000, 110), START, 0.1)
    assert volume is not None
    assert (volume.low, volume.high) == (94, 116)  # the median is 105
    assert "4 partitions of the previous weeks" in volume.usual


def test_less_than_seven_days_of_history_says_nothing() -> None:
    short = {START - timedelta(hours=n): 100 for n in range(1, 7 * 24)}
    assert expected_volume(short, START, 0.1) is None
    assert expected_volume({}, START, 0.1) is None
    assert expected_volume({**short, START - WEEK: 100}, START, 0.1) is not None


def test_previous_days_stand_in_for_weeks_that_were_not_published() -> None:
    history = {START - timedelta(days=8): 5} | {START - timedelta(days=n): 200 for n in (1, 2, 3)}
    volume = expected_volume(history, START, 0.5)
    assert volume is not None
    assert (volume.low, volume.high) == (100, 300)
    assert "previous days" in volume.usual


def test_other_hours_and_later_partitions_do_not_count() -> None:
    history = weeks(100) | {START - WEEK + timedelta(hours=1): 9999, START + WEEK: 9999, START: 9999}
    volume = expected_volume(history, START, 0.0)
    assert volume is not None
    assert (volume.low, volume.high) == (100, 100)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=4), st.floats(0, 1))
def test_the_usual_number_itself_is_always_allowed(rows: list[int], tolerance: float) -> None:
    volume = expected_volume(weeks(*rows), START, tolerance)
    assert volume is not None
    assert 0 <= volume.low <= sorted(rows)[(len(rows) - 1) // 2] or volume.low <= max(rows)
    assert min(rows) <= volume.high
    assert volume.low <= volume.high


@pytest.mark.parametrize("weeks_before", [1, 2, 3, 4])
def test_the_range_asked_for_holds_what_is_looked_at(weeks_before: int) -> None:
    first, end = history_range(START)
    assert first <= START - weeks_before * WEEK < end


def test_ten_percent_and_a_warning_unless_a_source_says_otherwise() -> None:
    assert (Monitoring().volume_tolerance, Monitoring().volume_severity) == (0.1, "warning")
    assert Monitoring(volume_tolerance=None).volume_tolerance is None
