"""Does a partition have as many rows as its like had before? Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
WEEKS = 4
NEEDED = WEEK  # less history than this says nothing about a partition's usual size


@dataclass(frozen=True, slots=True)
class Volume:
    """How many rows a partition should have.

    Args:
        low: At least so many rows.
        high: At most so many rows.
        usual: What the bounds were made from, in words.
    """

    low: int
    high: int
    usual: str


def expected_volume(history: Mapping[datetime, int], start: datetime, tolerance: float) -> Volume | None:
    """The rows to expect: the median of the same hour in the previous four weeks, give or take the tolerance.

    Where no such hour was published, the same hour of the previous seven days stands in.

    Args:
        history: Published rows by the start of the partition.
        start: The start of the partition to judge.
        tolerance: The allowed deviation as a fraction of the median, such as 0.1.

    Returns:
        The bounds, or None as long as the history is shorter than seven days.
    """
    earlier = {moment: rows for moment, rows in history.items() if moment < start}
    if not earlier or start - min(earlier) < NEEDED:
        return None
    for steps, length, words in ((WEEKS, WEEK, "previous weeks"), (7, DAY, "previous days")):
        like = [earlier[at] for n in range(1, steps + 1) if (at := start - n * length) in earlier]
        if like:
            usual = median(like)
            low, high = math.floor(usual * (1 - tolerance)), math.ceil(usual * (1 + tolerance))
            return Volume(
                max(low, 0), high, f"{usual:g} rows, the median of {len(like)} partitions of the {words}"
            )
    return None


def history_range(start: datetime) -> tuple[datetime, datetime]:
    """The range of starts, the end not included, whose partitions `expected_volume` looks at."""
    return start - WEEKS * WEEK, start
