"""The steps of a push that both engines share: what it may write, what becomes visible, what it removes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from hourglass.cloud.pushes import Attempt, Pushes, Written
from hourglass.cloud.retry import Patiently
from hourglass.features.heads import read_head, write_head
from hourglass.features.push import Push
from hourglass.features.send import PushError
from hourglass.partition import Partition
from hourglass.partition.features import FeatureType, Generation, Head, gone, suffix

if TYPE_CHECKING:
    from google.cloud.bigtable.table import Table

    from hourglass.config.serving import FeatureSet

T = TypeVar("T")
_SOME_MOMENT = datetime(2001, 1, 1, tzinfo=UTC)
_STARTS_LOOKED_AT = 50  # two days of hours: the shortest partition of a cron expression is among them


def _ask(call: Callable[..., T], *arguments: Any) -> T:
    """Read or write a head row; twice is the same as once, so that a lost answer does no harm."""
    found: T = Patiently("Bigtable for the head row of a feature set")(call)(*arguments)
    return found


def span_ms(partition: Partition, versions: int) -> int:
    """How many milliseconds of as-of times share a row, so that it holds at most `versions` of them.

    Args:
        partition: A partition of the source.
        versions: The versions that the family keeps.
    """
    if versions == 1:
        return 0
    # From a fixed moment: every partition of the source must come to the same span.
    starts = [partition.grain.floor(_SOME_MOMENT)]
    for _ in range(_STARTS_LOOKED_AT):
        starts.append(partition.grain.next(starts[-1]))
    return versions * min(
        (later - earlier) // timedelta(milliseconds=1) for earlier, later in pairwise(starts)
    )


@dataclass(frozen=True)
class FeatureTarget:
    """Where one feature set's push of one partition goes.

    Args:
        table: The Bigtable table.
        pushes: The record of the set's pushes.
        feature_set: The set.
        partition: The partition.
    """

    table: Table
    pushes: Pushes
    feature_set: FeatureSet
    partition: Partition

    def outdated(self) -> bool:
        """Whether readers have a newer snapshot already, so that this one would never be seen."""
        if self.feature_set.mode == "upsert":
            return False
        head = _ask(read_head, self.table, self.feature_set.name)
        if head is None or head.generation.as_of_ms <= self.partition.as_of_ms:
            return False
        self.remove_unseen({head.generation.suffix}, last=None)
        return True

    def begin(self, types: dict[str, FeatureType]) -> RunningPush:
        """Claim the next attempt; in upsert mode readers learn the features' types.

        Args:
            types: The features' BigQuery types.
        """
        name, as_of = self.feature_set.name, self.partition.as_of_ms
        before = _ask(read_head, self.table, name)
        earlier = self.pushes.attempts(self.partition.key)
        number = max((a.number for a in earlier), default=0) + 1
        if before and before.generation.as_of_ms == as_of:
            number = max(number, before.generation.attempt + 1)
        span = span_ms(self.partition, self.feature_set.versions)
        while True:
            generation = Generation(as_of, number)
            end = suffix(as_of, span) if self.feature_set.mode == "upsert" else generation.suffix
            if self.pushes.start(self.partition.key, number, Written(as_of, end, list(types))):
                break
            number += 1
        stale: set[str] = set()
        if self.feature_set.mode == "upsert":
            written = [w for a in earlier if (w := self.pushes.written(a))]
            stale = {feature for w in written for feature in w.features} - types.keys()
        push = Push(name, as_of, end, types, tuple(sorted(stale)), self.feature_set.top)
        head = Head(self.feature_set.mode, generation, span, types)
        if self.feature_set.mode == "upsert":
            _ask(write_head, self.table, name, head)
        return RunningPush(self, number, push, head, before.generation if before else None)

    def remove(self, attempts: Iterable[Attempt]) -> int:
        """Remove what attempts may have written, then their records.

        Returns:
            The number of rows touched.
        """
        removed = 0
        for attempt in attempts:
            if written := self.pushes.written(attempt):
                push = Push(self.feature_set.name, written.as_of_ms, written.end, {})
                entities = gone(self.pushes.entities([attempt]), [])
                removed += push.remove(self.table, entities, written.features)
            self.pushes.forget([attempt])
        return removed

    def remove_unseen(self, shown: set[str], last: int | None) -> int:
        """Remove generations that readers no longer see; another partition's only when it has ended.

        Args:
            shown: The ends of the row keys of generations that readers may still see.
            last: The last attempt of this partition to look at; None for all.

        Returns:
            The number of rows touched.
        """
        unseen = []
        for attempt in self.pushes.attempts():
            mine = attempt.partition == self.partition.key and (last is None or attempt.number <= last)
            if mine or attempt.done:
                written = self.pushes.written(attempt)
                if written is None or written.end not in shown:
                    unseen.append(attempt)
        return self.remove(unseen)


@dataclass(frozen=True)
class RunningPush:
    """One attempt.

    Args:
        target: Where it goes.
        number: The attempt.
        push: What is written where.
        head: What readers see after it.
        before: The generation that readers saw before it.
    """

    target: FeatureTarget
    number: int
    push: Push
    head: Head
    before: Generation | None

    def record(self, part: int, entities: Sequence[str]) -> None:
        """Record entities before the first of them is sent.

        Raises:
            PushError: A later attempt has begun: this process was given up.
        """
        pushes, key = self.target.pushes, self.target.partition.key
        if pushes.superseded(key, self.number):
            raise PushError(
                f"a later push of {key} has begun, so this one (attempt {self.number}) stops; "
                "the later one writes everything"
            )
        pushes.add(key, self.number, part, entities)

    def end(self, rows: int) -> int:
        """Make the rows the ones that readers see, and remove what they no longer may.

        Args:
            rows: The number of rows pushed.

        Returns:
            The number of rows removed.
        """
        removed = self._end_upsert() if self.head.mode == "upsert" else self._end_snapshot()
        self.target.pushes.finish(self.target.partition.key, self.number, rows)
        return removed

    def _end_snapshot(self) -> int:
        shown = _ask(write_head, self.target.table, self.push.family, self.head)
        # The one before stays until the next push: readers that have just read the pointer still want it.
        seen = {g.suffix for g in (shown, self.before) if g is not None}
        return self.target.remove_unseen(seen, self.number)

    def _end_upsert(self) -> int:
        pushes = self.target.pushes
        attempts = pushes.attempts()
        mine = [a for a in attempts if a.partition == self.target.partition.key]
        earlier = [a for a in mine if a.number < self.number]
        features = {f for a in mine if (w := pushes.written(a)) for f in w.features}
        now = [a for a in mine if a.number == self.number]
        entities = gone(pushes.entities(earlier), pushes.entities(now))
        removed = self.push.remove(self.target.table, entities, sorted(features))
        pushes.forget(earlier)
        newest = max(Partition.parse(a.partition).start for a in attempts)
        limit = newest - self.target.feature_set.keep
        expired = [a for a in attempts if a not in earlier and Partition.parse(a.partition).start < limit]
        return removed + self.target.remove(expired)
