"""The one clock: a partition is identified by its start."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self


class Grain(StrEnum):
    """How long a partition is."""

    HOUR = "hour"
    DAY = "day"

    @property
    def length(self) -> timedelta:
        """The length of one partition."""
        return timedelta(hours=1) if self is Grain.HOUR else timedelta(days=1)

    @property
    def key_format(self) -> str:
        """The `strftime` format of a partition's key."""
        return "%Y-%m-%dT%H" if self is Grain.HOUR else "%Y-%m-%d"

    @property
    def decorator_format(self) -> str:
        """The `strftime` format of BigQuery's partition decorator (`table$YYYYMMDDHH`)."""
        return "%Y%m%d%H" if self is Grain.HOUR else "%Y%m%d"


_KEYS = {
    Grain.HOUR: re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}"),
    Grain.DAY: re.compile(r"\d{4}-\d{2}-\d{2}"),
}


@dataclass(frozen=True, order=True, slots=True)
class Partition:
    """One landing interval of one source.

    Args:
        start: The first instant of the interval, in UTC, on a boundary of the grain.
        grain: The length of the interval.

    Raises:
        ValueError: `start` has no time zone or is not on a boundary of the grain.
    """

    start: datetime
    grain: Grain = Grain.HOUR

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError(f"partition start {self.start} has no time zone; give it in UTC")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        if not self.starts_at(self.start, self.grain):
            raise ValueError(f"{self.start.isoformat()} is not the start of a partition of one {self.grain}")

    @staticmethod
    def starts_at(moment: datetime, grain: Grain) -> bool:
        """Tell whether `moment` is a boundary of the grain."""
        utc = moment.astimezone(UTC)
        on_hour = utc.minute == utc.second == utc.microsecond == 0
        return on_hour and (grain is Grain.HOUR or utc.hour == 0)

    @classmethod
    def parse(cls, key: str) -> Self:
        """Read a key such as `2021-07-21T06` (hour) or `2021-07-21` (day).

        Raises:
            ValueError: The text is not a partition key; the message shows the two forms.
        """
        for grain, pattern in _KEYS.items():
            if pattern.fullmatch(key):
                try:
                    return cls(datetime.strptime(key, grain.key_format).replace(tzinfo=UTC), grain)
                except ValueError:
                    break
        raise ValueError(
            f"{key!r} is not a partition; write an hour as 2021-07-21T06 or a day as 2021-07-21 (UTC)"
        )

    @classmethod
    def containing(cls, moment: datetime, grain: Grain) -> Self:
        """The partition whose interval contains `moment`."""
        start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return cls(start.replace(hour=0) if grain is Grain.DAY else start, grain)

    @classmethod
    def last_ended(cls, now: datetime, grain: Grain) -> Self:
        """The newest partition whose interval has ended at `now`."""
        return cls.containing(now - grain.length, grain)

    @property
    def end(self) -> datetime:
        """The first instant after the interval."""
        return self.start + self.grain.length

    @property
    def key(self) -> str:
        """The key that people read and write."""
        return self.start.strftime(self.grain.key_format)

    @property
    def decorator(self) -> str:
        """The BigQuery partition id, also used in batch ids: `2021072106` or `20210721`."""
        return self.start.strftime(self.grain.decorator_format)

    @property
    def as_of_ms(self) -> int:
        """The as-of time of features, in milliseconds since the epoch: the end of the interval."""
        return int(self.end.timestamp()) * 1000

    def __str__(self) -> str:
        return self.key
