"""Where the rows of a platform's day land: most at once, some late, some once more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from hourglass.generate.draw import Draw
from hourglass.generate.record import Record
from hourglass.partition import Grain, Partition

Landed = dict[str, dict[datetime, list[Record]]]
_ONCE_MORE_WITHIN = 3  # hours


class Landing:
    """Collects rows by source and by the partition in which they arrive.

    Args:
        draw: Where random values come from.
        late: The share of rows that are held back, 0 to 1.
        lateness: How long at most.
        repeated: The share of rows that arrive twice.
        grains: How the time of sources is cut into partitions, where not by hours; they begin with whole hours.
    """

    def __init__(
        self,
        draw: Draw,
        *,
        late: float = 0.03,
        lateness: timedelta = timedelta(hours=4),
        repeated: float = 0.015,
        grains: Mapping[str, Grain] | None = None,
    ) -> None:
        self._draw, self._late, self._lateness = draw, late, lateness
        self._repeated, self._grains = repeated, grains or {}
        self._rows: dict[str, dict[datetime, list[Record]]] = defaultdict(lambda: defaultdict(list))

    def send(self, source_id: str, record: Record, sent: datetime, again: Record | None = None) -> None:
        """Put a row where it lands.

        Args:
            source_id: Its source.
            record: The row.
            sent: When its sender sends it first.
            again: What differs when it arrives a second time; the first arrival is what counts.
        """
        if self._draw.chance(self._late):
            sent += self._lateness * self._draw.random.random()
        self._rows[source_id][self._partition(source_id, sent)].append(record)
        if self._draw.chance(self._repeated):
            sent += timedelta(hours=self._draw.whole(0, _ONCE_MORE_WITHIN))
            self._rows[source_id][self._partition(source_id, sent)].append({**record, **(again or {})})

    def landed(self) -> Landed:
        """All rows, partitions in order."""
        return {source: dict(sorted(found.items())) for source, found in self._rows.items()}

    def _partition(self, source_id: str, moment: datetime) -> datetime:
        hour = moment.replace(minute=0, second=0, microsecond=0)
        grain = self._grains.get(source_id)
        return grain.floor(hour) if grain else hour


def midnight(when: date) -> datetime:
    """The beginning of a day (UTC)."""
    return datetime.combine(when, time(), UTC)


def draw_of(when: date, seed: int, platform: str) -> Draw:
    """Random values of a platform's day."""
    return Draw(seed, Partition(midnight(when), Grain.DAY), platform)


def moment_in(draw: Draw, when: date, busiest: float = 19.0) -> datetime:
    """A moment of a day, rather in the evening.

    Args:
        draw: Where random values come from.
        when: The day.
        busiest: The hour at which most happens.
    """
    hour = draw.random.triangular(0, 24, busiest)
    return midnight(when) + timedelta(milliseconds=int(hour * 3_600_000) % 86_400_000)


def later(draw: Draw, moment: datetime, seconds: float) -> datetime:
    """A later moment, `seconds` later on average, also after midnight; whole milliseconds."""
    return moment + timedelta(milliseconds=1 + int(draw.random.expovariate(1 / seconds) * 1000))


def merged(*days: Mapping[str, Mapping[datetime, list[Record]]]) -> Landed:
    """The rows of several days, partition by partition, in the order of the days."""
    found: Landed = {}
    for landed in days:
        for source, partitions in landed.items():
            for start, rows in partitions.items():
                found.setdefault(source, {}).setdefault(start, []).extend(rows)
    return {source: dict(sorted(partitions.items())) for source, partitions in found.items()}
