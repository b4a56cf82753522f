"""The one clock: a partition is identified by its start."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import ClassVar, Self

from croniter import croniter

_HOURLY, _DAILY = "0 * * * *", "0 0 * * *"
_NAMES = {_HOURLY: "hour", _DAILY: "day"}
_SAME = {"hour": _HOURLY, "day": _DAILY, "@hourly": _HOURLY, "@daily": _DAILY, "@midnight": _DAILY}
_KEYS = {
    "%Y-%m-%d": re.compile(r"\d{4}-\d{2}-\d{2}"),
    "%Y-%m-%dT%H": re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}"),
    "%Y-%m-%dT%H:%M": re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}"),
}
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1024)
def _fields(cron: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The minutes and the hours at which a cron expression fires.

    Raises:
        ValueError: It is none, or never fires.
    """
    croniter(cron, _EPOCH).get_next()
    minutes, hours = croniter.expand(cron)[0][:2]
    return _numbers(minutes, 60), _numbers(hours, 24)


def _numbers(values: list[int | str], count: int) -> tuple[int, ...]:
    return tuple(range(count)) if "*" in values else tuple(int(value) for value in values)


@dataclass(frozen=True, order=True, slots=True)
class Grain:
    """How time is cut into partitions: each begins when a cron expression fires, and ends when it does again.

    Make one with `Grain.of`; `str()` of it is `hour`, `day`, or the cron expression.

    Args:
        cron: The expression, in UTC.
    """

    HOUR: ClassVar[Grain]
    DAY: ClassVar[Grain]

    cron: str

    @classmethod
    def of(cls, schedule: str) -> Self:
        """The grain of a schedule: a cron expression, a preset such as `@hourly`, or `hour` or `day`.

        Raises:
            ValueError: It is no cron expression, or one that never fires.
        """
        grain = cls(_SAME.get(schedule, schedule))
        _fields(grain.cron)
        return grain

    @property
    def key_format(self) -> str:
        """The `strftime` format of a partition's key: no finer than the starts are."""
        minutes, hours = _fields(self.cron)
        if minutes != (0,):
            return "%Y-%m-%dT%H:%M"
        return "%Y-%m-%d" if hours == (0,) else "%Y-%m-%dT%H"

    @property
    def partition_type(self) -> str:
        """BigQuery's partitioning of tables by landing hour: HOUR or DAY."""
        return "DAY" if self.key_format == "%Y-%m-%d" else "HOUR"

    @property
    def decorator_format(self) -> str:
        """The `strftime` format of BigQuery's partition decorator (`table$YYYYMMDDHH`)."""
        return "%Y%m%d" if self.partition_type == "DAY" else "%Y%m%d%H"

    @property
    def shares_hour(self) -> bool:
        """Whether several partitions may lie in one of BigQuery's, whose shortest is an hour."""
        return len(_fields(self.cron)[0]) > 1

    @property
    def once_a_day(self) -> bool:
        """Whether a day has at most one start, so that its date tells it from the others."""
        minutes, hours = _fields(self.cron)
        return len(minutes) == len(hours) == 1

    def floor(self, moment: datetime) -> datetime:
        """The last start at or before a moment, in UTC."""
        minute = moment.astimezone(UTC).replace(second=0, microsecond=0)
        return _utc(croniter(self.cron, minute + _MINUTE).get_prev(datetime))

    def next(self, start: datetime) -> datetime:
        """The first start after a moment, in UTC."""
        return _utc(croniter(self.cron, start.astimezone(UTC)).get_next(datetime))

    @property
    def length_in_words(self) -> str:
        """How long a partition is, for messages."""
        name = _NAMES.get(self.cron)
        return f"one {name}" if name else f"from one firing of {self.cron!r} to the next"

    def __str__(self) -> str:
        return _NAMES.get(self.cron, self.cron)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)


Grain.HOUR = Grain(_HOURLY)
Grain.DAY = Grain(_DAILY)


@dataclass(frozen=True, order=True, slots=True)
class Partition:
    """One landing interval of one source.

    Args:
        start: The first instant of the interval, in UTC, on a boundary of the grain.
        grain: How the source's time is cut.

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
            raise ValueError(
                f"{self.start.isoformat()} is not the start of a partition of {self.grain.length_in_words}"
            )

    @staticmethod
    def starts_at(moment: datetime, grain: Grain) -> bool:
        """Tell whether `moment` is a boundary of the grain."""
        return grain.floor(moment) == moment

    @classmethod
    def parse(cls, key: str, grain: Grain | None = None) -> Self:
        """Read a key such as `2021-07-21T06`, `2021-07-21` or `2021-07-21T06:15`.

        Args:
            key: The text.
            grain: How the source's time is cut; by default the key's own form says it: a day, an hour, a minute.

        Raises:
            ValueError: The text is no key, or no partition of the grain starts there; the message shows what
                to write.
        """
        start = _start_of(key)
        if grain is None:
            grain = Grain.of("* * * * *" if ":" in key else _HOURLY if "T" in key else _DAILY)
        if start.strftime(grain.key_format) != key or not cls.starts_at(start, grain):
            near = grain.floor(start).strftime(grain.key_format)
            raise ValueError(
                f"{key!r} is no partition of this source, whose partitions are {grain.length_in_words}; "
                f"write one such as {near} (UTC)"
            )
        return cls(start, grain)

    @classmethod
    def containing(cls, moment: datetime, grain: Grain) -> Self:
        """The partition whose interval contains `moment`."""
        return cls(grain.floor(moment), grain)

    @classmethod
    def last_ended(cls, now: datetime, grain: Grain) -> Self:
        """The newest partition whose interval has ended at `now`."""
        return cls.containing(grain.floor(now) - _MINUTE, grain)

    @property
    def end(self) -> datetime:
        """The first instant after the interval."""
        return self.grain.next(self.start)

    @property
    def key(self) -> str:
        """The key that people read and write."""
        return self.start.strftime(self.grain.key_format)

    @property
    def stamp(self) -> str:
        """The key in digits alone, for batch ids, labels and tables' names: `2021072106`, `20210721`."""
        return re.sub(r"\D", "", self.key)

    @property
    def decorator(self) -> str:
        """The BigQuery partition id: `2021072106` or `20210721`; see `Grain.shares_hour`."""
        return self.start.strftime(self.grain.decorator_format)

    @property
    def as_of_ms(self) -> int:
        """The as-of time of features, in milliseconds since the epoch: the end of the interval."""
        return int(self.end.timestamp()) * 1000

    def __str__(self) -> str:
        return self.key


def _start_of(key: str) -> datetime:
    for form, pattern in _KEYS.items():
        if pattern.fullmatch(key):
            try:
                return datetime.strptime(key, form).replace(tzinfo=UTC)
            except ValueError:
                break
    raise ValueError(
        f"{key!r} is not a partition; write its start as 2021-07-21T06, 2021-07-21 or 2021-07-21T06:15 (UTC)"
    )
