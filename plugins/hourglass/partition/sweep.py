"""What became of a partition's files after it was recorded: nothing, a change to take in, or one too late. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from hourglass.partition.clock import Grain, Partition

# How far behind the late window files are still noticed. Each hourly partition costs one listing a sweep of
# the day, so a week of a hundred sources is 16,800 listings.
OVERDUE_FOR = timedelta(days=7)


class Change(StrEnum):
    """What a listing means for a partition that the ledger knows."""

    NONE = "none"
    LATE = "late"
    OVERDUE = "overdue"


def judge(
    processed: str | None, found: str, partition: Partition, late_window: timedelta, now: datetime
) -> Change:
    """Compare the manifest that a partition has now with the one that was processed.

    Args:
        processed: The hash of the manifest that was processed; None where none was frozen.
        found: The hash of the manifest that a new listing gives.
        partition: The partition.
        late_window: How long after the partition's end changed files are taken in.
        now: The current time.

    Returns:
        LATE to run the partition again, OVERDUE to report files that came after the window.
    """
    if found == processed:
        return Change.NONE
    return Change.LATE if now <= partition.end + late_window else Change.OVERDUE


def partitions_between(grain: Grain, start: datetime, end: datetime) -> Iterator[Partition]:
    """The partitions of a grain that start at or after `start` and before `end`, in order."""
    at = grain.floor(start)
    if at < start:
        at = grain.next(at)
    while at < end:
        yield Partition(at, grain)
        at = grain.next(at)
