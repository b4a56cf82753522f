"""What became of a partition's files after it was recorded: nothing, a change to take in, or one too late. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from hourglass.partition.clock import Grain, Partition
from hourglass.partition.completeness import Verdict
from hourglass.partition.manifest import SourceObject

# How far behind the late window files are still noticed. Each hourly partition costs one listing a sweep of
# the day, so a week of a hundred sources is 16,800 listings.
OVERDUE_FOR = timedelta(days=7)
# How far behind it objects are missed. Older ones may be deleted by a rule of their bucket.
REMOVED_FOR = timedelta(days=1)
# States of a partition that nothing more is awaited of. Reported files make these `overdue`; one that has failed
# goes on being one that has failed.
SETTLED = ("published", "skipped", "overdue")


class Change(StrEnum):
    """What a listing means for a partition that the ledger knows."""

    NONE = "none"
    LATE = "late"
    OVERDUE = "overdue"
    REMOVED = "removed"


def judge(
    processed: str | None, found: str, came: datetime, partition: Partition, late_window: timedelta
) -> Change:
    """Compare the manifest that a complete partition has now with the one that was processed.

    Args:
        processed: The hash of the manifest that was processed; None where none was frozen.
        found: The hash of the manifest that a new listing gives.
        came: When the difference came about, which a sweep may see a good while later.
        partition: The partition.
        late_window: How long after the partition's end changed files are taken in.

    Returns:
        LATE to run the partition again, OVERDUE to report files that came after the window.
    """
    if found == processed:
        return Change.NONE
    return Change.LATE if came <= partition.end + late_window else Change.OVERDUE


def first_new(found: Iterable[SourceObject], processed: Iterable[SourceObject]) -> datetime | None:
    """When the first object was written that has not been processed; None where there is none, or no time is known.

    The first, since a file that came in time is taken in, and whatever came after it along with it.

    Args:
        found: The objects that there are.
        processed: Those that were processed.
    """
    known = {(o.name, o.generation) for o in processed}
    return min((o.updated for o in found if o.updated and (o.name, o.generation) not in known), default=None)


def judge_missing(
    verdict: Verdict, row: Mapping[str, Any], partition: Partition, late_window: timedelta, now: datetime
) -> Change:
    """What it means that a partition the ledger knows is not complete any more.

    Args:
        verdict: What its listing means.
        row: Its newest ledger row.
        partition: The partition.
        late_window: How long after the partition's end changed files are taken in.
        now: The current time.

    Returns:
        REMOVED to report that objects are gone whose rows are published.
    """
    had = row["state"] in SETTLED and (row["objects"] or 0) > 0
    lately = now <= partition.end + late_window + REMOVED_FOR
    return Change.REMOVED if verdict is Verdict.MISSING and had and lately else Change.NONE


def partitions_between(grain: Grain, start: datetime, end: datetime) -> Iterator[Partition]:
    """The partitions of a grain that start at or after `start` and before `end`, in order."""
    at = grain.floor(start)
    if at < start:
        at = grain.next(at)
    while at < end:
        yield Partition(at, grain)
        at = grain.next(at)
