"""One partition's lines: good records, repeats and spoilt ones, and the tally of what must become of them."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from itertools import count as serial
from itertools import islice
from types import ModuleType
from typing import Any

from hourglass.config.source import Source
from hourglass.generate.draw import USUAL_LATENESS, Draw
from hourglass.generate.record import Path, Record, as_moment, data_paths, get
from hourglass.generate.spoil import DEAD_LETTER, Spoilers
from hourglass.partition import Partition

_SOURCES = "hourglass.generate.sources"
_FARTHEST_REPEAT = 200  # lines after the first; clients repeat what was not acknowledged within seconds


class GenerateError(Exception):
    """What was asked for cannot be generated; the message says what to do instead."""


@dataclass(frozen=True)
class Rates:
    """How much goes wrong, as shares of the good rows.

    Args:
        late: Good rows whose event time lies before the partition.
        duplicates: Lines added that repeat a good row.
        bad: Lines added that must be quarantined.

    Raises:
        GenerateError: A rate is no share.
    """

    late: float = 0.02
    duplicates: float = 0.01
    bad: float = 0.005

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not 0 <= value <= 1:
                raise GenerateError(f"the rate of {name} is {value}; give a share between 0 and 1")


@dataclass
class Tally:
    """What a run of the pipeline over the lines must come to.

    Args:
        lines: All lines.
        silver: Good rows, each once.
        quarantined: Lines with a reason.
        duplicates: Repeats of good rows.
        reasons: Quarantined lines by reason.
        late: Silver rows whose event time lies before the partition's start.
    """

    lines: int = 0
    silver: int = 0
    quarantined: int = 0
    duplicates: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    late: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The tally as JSON values."""
        return {**asdict(self), "reasons": dict(sorted(self.reasons.items()))}


@dataclass(frozen=True)
class Line:
    """One line to write.

    Args:
        record: As it looks in the data.
        cut: Where the line is cut off, as a share of it; None leaves it whole.
        dead_letter: It is a message that could not be delivered.
    """

    record: Record
    cut: float | None = None
    dead_letter: bool = False


@cache
def module_of(source_id: str) -> ModuleType | None:
    """The source's own generator, if it has one."""
    name = f"{_SOURCES}.{source_id}"
    return import_module(name) if find_spec(name) else None


def good_rows(source: Source, draw: Draw, count: int) -> Iterator[Record]:
    """Distinct good records: of the source's own generator, or made from its schema and rules.

    Raises:
        GenerateError: The generator gave fewer than `count`.
    """
    from hourglass.generate import generic

    module = module_of(source.id)
    made = module.rows(draw, draw.partition, count) if module else generic.rows(source, draw, count)
    given = 0
    for record in islice(made, count):
        given += 1
        yield record
    if given < count:
        raise GenerateError(
            f"the generator of {source.id} gave {given} of {count} rows; ask for no more than that"
        )


def draw_for(source: Source, partition: Partition, seed: int, late: float = 0.0) -> Draw:
    """The values of one partition of a source."""
    lateness = min(USUAL_LATENESS, source.file.schema_.max_lateness)
    return Draw(seed, partition, source.id, late=late if source.event_time else 0.0, lateness=lateness)


def make_partition(
    source: Source, partition: Partition, count: int, rates: Rates, seed: int = 1
) -> tuple[Iterator[Line], int, Tally]:
    """The lines of one partition.

    Args:
        source: The source.
        partition: One of its partitions.
        count: Good rows; repeats and bad lines come on top.
        rates: How many of these, and how many good rows are late.
        seed: The same arguments give the same lines.

    Returns:
        The lines, how many there will be, and their tally, which is complete when the last line was taken.

    Raises:
        GenerateError: Bad lines are asked for, and nothing in the source's format and rules can go wrong.
    """
    plan = _Plan(source, partition, count, rates, draw_for(source, partition, seed, rates.late))
    tally = Tally()
    return plan.lines(tally), plan.total, tally


class _Plan:
    """Which of the records are repeated, and which are spoilt how."""

    def __init__(self, source: Source, partition: Partition, count: int, rates: Rates, draw: Draw) -> None:
        self._source, self._draw, self._start = source, draw, partition.start
        bad = round(count * rates.bad)
        repeats = round(count * rates.duplicates) if source.file.deduplication_key else 0
        self.total = count + bad + repeats
        self._records = count + bad
        self._spoilt = set(draw.random.sample(range(self._records), bad))
        kept = [n for n in range(self._records) if n not in self._spoilt] if repeats else []
        self._repeated = Counter(draw.random.choices(kept, k=repeats)) if kept else Counter()
        module = module_of(source.id)
        self._spoilers = Spoilers(source, partition, getattr(module, "BREAK", {})).all() if bad else []
        if bad and not self._spoilers:
            raise GenerateError(
                f"no line of {source.id} can be bad: its format, schema and rules allow anything; use --bad 0"
            )
        draw.random.shuffle(self._spoilers)

    def lines(self, tally: Tally) -> Iterator[Line]:
        """The lines in order, counted as they are taken."""
        paths = data_paths(self._source.schema, self._source.file.ingestion.format)
        path = paths[self._source.event_time] if self._source.event_time else None
        for line, reason, again in self._judged():
            tally.lines += 1
            if reason:
                tally.quarantined += 1
                tally.reasons[reason] += 1
            elif again:
                tally.duplicates += 1
            else:
                tally.silver += 1
                tally.late += self._is_late(line.record, path)
            yield line

    def _is_late(self, record: Record, path: Path | None) -> bool:
        moment = as_moment(get(record, path)) if path else None
        return moment is not None and moment < self._start

    def _judged(self) -> Iterator[tuple[Line, str | None, bool]]:
        """Every line with its reason, and whether it repeats another."""
        waiting: list[tuple[int, int, Record]] = []
        order = serial()
        for number, record in enumerate(good_rows(self._source, self._draw, self._records)):
            while waiting and waiting[0][0] <= number:
                yield Line(heapq.heappop(waiting)[2]), None, True
            if number in self._spoilt:
                yield (*self._spoil(record), False)
                continue
            for _ in range(self._repeated[number]):
                due = number + self._draw.whole(1, _FARTHEST_REPEAT)
                heapq.heappush(waiting, (due, next(order), record))
            yield Line(record), None, False
        for _, _, record in sorted(waiting, key=lambda item: item[:2]):
            yield Line(record), None, True

    def _spoil(self, record: Record) -> tuple[Line, str | None]:
        """The record spoilt in the next way that fits it; good when none does."""
        for position, spoiler in enumerate(self._spoilers):
            spoilt = deepcopy(record)
            if spoiler.apply(spoilt, self._draw):
                self._spoilers.append(self._spoilers.pop(position))
                cut = 0.2 + 0.6 * self._draw.random.random() if spoiler.cuts else None
                return Line(spoilt, cut, spoiler.reason == DEAD_LETTER), spoiler.reason
        return Line(record), None
