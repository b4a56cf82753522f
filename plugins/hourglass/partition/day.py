"""Whether a day's partitions allow its daily work to begin, told from the ledger. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from hourglass.partition.clock import Grain, Partition
from hourglass.partition.sweep import OVERDUE_FOR, SETTLED, partitions_between


class DayVerdict(StrEnum):
    """What to do about a day."""

    READY = "ready"
    WAITING = "waiting"
    ENOUGH = "enough"  # not all of it, but the share that is allowed, and waiting is over
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class DayRule:
    """When daily work may begin.

    Args:
        share: The share of the day's partitions that must be settled once waiting is over, up to 1.
        give_up_after: How long after the day's end the rest is waited for.
    """

    share: float
    give_up_after: timedelta


@dataclass(frozen=True, slots=True)
class Awaited:
    """A source whose partitions a day needs.

    Args:
        grain: How its time is cut.
        first: Its first partition's start; there are none before it.
    """

    grain: Grain
    first: datetime

    def partitions(self, day: Partition) -> Iterator[Partition]:
        """Those that start on the day."""
        return partitions_between(self.grain, max(day.start, self.first), day.end)


@dataclass(frozen=True, slots=True)
class DayReadiness:
    """What a look at the ledger came to.

    Args:
        verdict: What to do.
        expected: The number of partitions that start on the day.
        missing: Those that are not settled, as `source key (state)`.
        event_dates: The event dates to compute again, in order.
    """

    verdict: DayVerdict
    expected: int
    missing: tuple[str, ...]
    event_dates: tuple[date, ...]

    @property
    def reason(self) -> str:
        """What is missing, for a message."""
        shown = ", ".join(self.missing[:10]) + (" and others" if len(self.missing) > 10 else "")
        return f"{len(self.missing)} of {self.expected} partitions are not published: {shown}"


def looked_at(day: Partition) -> tuple[datetime, datetime]:
    """The range of starts of the partitions that a day's work looks at: those that may still change are among them."""
    return day.start - OVERDUE_FOR, day.end


def assess_day(
    day: Partition,
    awaited: Mapping[str, Awaited],
    rows: Iterable[Mapping[str, Any]],
    rule: DayRule,
    now: datetime,
) -> DayReadiness:
    """Judge a day.

    Its event dates are those of its own partitions, and of earlier ones that were recorded again since the day
    began: the daily run before this one cannot have seen these. A partition's dates are those of all its attempts, so
    that a date which a replaced file no longer has is computed again too.

    Args:
        day: The day.
        awaited: The sources that daily models read, by their id.
        rows: What the ledger has of `looked_at(day)`: source, partition, landing_hour, the newest row's state and
            recorded_at, and the event_dates of all rows.
        rule: When to begin.
        now: The current time.
    """
    found = [row for row in rows if row["source"] in awaited]
    states = {(row["source"], row["partition"]): row["state"] for row in found}
    expected = [(source, p.key) for source, one in awaited.items() for p in one.partitions(day)]
    missing = tuple(
        f"{source} {key} ({states.get((source, key), 'no run has ended')})"
        for source, key in expected
        if states.get((source, key)) not in SETTLED
    )
    touched = (r for r in found if r["landing_hour"] >= day.start or r["recorded_at"] >= day.start)
    dates = sorted({moment for row in touched for moment in row["event_dates"] or ()})
    return DayReadiness(
        _verdict(day, len(expected), len(missing), rule, now), len(expected), missing, tuple(dates)
    )


def _verdict(day: Partition, expected: int, missing: int, rule: DayRule, now: datetime) -> DayVerdict:
    if not missing:
        return DayVerdict.READY
    if now < day.end + rule.give_up_after:
        return DayVerdict.WAITING
    return DayVerdict.ENOUGH if expected - missing >= rule.share * expected else DayVerdict.INCOMPLETE
