"""When is a partition complete? Decided from one listing and the clock, with no state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from hourglass.partition.clock import Partition
from hourglass.partition.manifest import SourceObject

OnEmpty = Literal["fail", "skip", "accept"]


@dataclass(frozen=True, slots=True)
class Completeness:
    """The rule of one source.

    Args:
        close_after: How long after the interval's end the partition may be closed.
        settle: How old the newest object must be.
        min_files: How many objects a complete partition has at least.
        marker: Base name of an object (`_SUCCESS`) whose presence completes the partition before it closes.
        give_up_after: How long after the interval's end waiting for missing objects becomes a failure.
        on_empty: What a closed partition without objects means.
    """

    close_after: timedelta = timedelta(minutes=10)
    settle: timedelta = timedelta(minutes=2)
    min_files: int = 1
    marker: str | None = None
    give_up_after: timedelta = timedelta(hours=4)
    on_empty: OnEmpty = "fail"


class Verdict(StrEnum):
    """What a listing means for a partition."""

    COMPLETE = "complete"
    WAITING = "waiting"
    SKIP = "skip"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Readiness:
    """The verdict, its reason in words, and the objects it was given for (markers left out).

    Args:
        verdict: What the listing means.
        reason: The verdict in words.
        objects: The objects to freeze.
        until: When waiting can end at the earliest, if that is known.
    """

    verdict: Verdict
    reason: str
    objects: Sequence[SourceObject] = field(default=())
    until: datetime | None = None


def assess(
    listing: Sequence[SourceObject], partition: Partition, rule: Completeness, now: datetime
) -> Readiness:
    """Judge one listing of a partition's prefix.

    Args:
        listing: All objects under the prefix.
        partition: The partition that the prefix belongs to.
        rule: The source's completeness rule.
        now: The current time.

    Returns:
        COMPLETE with the objects to freeze, WAITING with what is awaited, SKIP for an empty partition that
        may be skipped, or MISSING when waiting any longer is pointless.
    """
    objects = [o for o in listing if not is_marker(o, rule.marker)]
    closed_at = partition.end + rule.close_after
    if len(objects) < len(listing):
        return Readiness(Verdict.COMPLETE, f"marker {rule.marker} is there, {len(objects)} objects", objects)
    if now < closed_at:
        reason = f"the partition closes at {closed_at:%Y-%m-%d %H:%M:%S} UTC"
        return Readiness(Verdict.WAITING, reason, until=closed_at)
    if not objects and rule.on_empty != "fail":
        return _empty(rule)
    if len(objects) < rule.min_files:
        return _short(objects, partition, rule, now)
    newest = max((o.updated for o in objects if o.updated), default=None)
    if newest and now - newest < rule.settle:
        return Readiness(
            Verdict.WAITING,
            f"{len(objects)} objects, the newest written {(now - newest).total_seconds():.0f} s ago; "
            f"it must be {rule.settle.total_seconds():.0f} s old",
            until=newest + rule.settle,
        )
    return Readiness(Verdict.COMPLETE, f"{len(objects)} objects, settled", objects)


def is_marker(o: SourceObject, marker: str | None) -> bool:
    """Whether an object is the one whose base name completes a partition."""
    return marker is not None and o.name.rsplit("/", 1)[-1] == marker


def _empty(rule: Completeness) -> Readiness:
    if rule.on_empty == "skip":
        return Readiness(Verdict.SKIP, "no objects, and on_empty is skip")
    return Readiness(Verdict.COMPLETE, "no objects, and on_empty is accept")


def _short(
    objects: Sequence[SourceObject], partition: Partition, rule: Completeness, now: datetime
) -> Readiness:
    awaited = f"at least {rule.min_files}" + (f" or marker {rule.marker}" if rule.marker else "")
    gives_up = partition.end + rule.give_up_after
    seen = f"{len(objects)} objects are there, {awaited} awaited"
    if now >= gives_up:
        return Readiness(Verdict.MISSING, f"{seen}; gave up at {gives_up:%Y-%m-%d %H:%M} UTC")
    return Readiness(Verdict.WAITING, f"{seen} until {gives_up:%Y-%m-%d %H:%M} UTC")
