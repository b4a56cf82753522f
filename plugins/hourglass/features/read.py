"""Reading features: `from hourglass.features import read`.

    store = read.open_store("my-project", "hourglass")
    store.features("user_features", "u1")            # the newest; None when there are none
    store.features("user_features", "u1", at=moment) # as they were at a time (upsert sets)
    store.many("user_recommendations", ["u1", "u2"])
    store.history("context_features", "u1", limit=24)

Needs google-cloud-bigtable and nothing else. BIGTABLE_EMULATOR_HOST redirects it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from hourglass.features.heads import TABLE, read_head
from hourglass.partition.features import (
    FeatureType,
    Head,
    entity_of,
    entity_prefix,
    feature_value,
    row_key,
    suffix,
)

if TYPE_CHECKING:
    from google.cloud.bigtable.table import Table

PARALLEL = 16
HEAD_SECONDS = 60  # after a set's first push with a new feature, until readers know the feature's type
_MICROS = 1_000_000


@dataclass(frozen=True)
class Features:
    """One entity's features of one push.

    Args:
        entity: The entity.
        as_of: The end of the partition that they were computed from.
        values: The features by name, with their types: datetime, Decimal and so on.
    """

    entity: str
    as_of: datetime
    values: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def open_store(project: str, instance: str, table: str = TABLE) -> Store:
    """Open a feature store with the default credentials.

    Args:
        project: The Google Cloud project.
        instance: The Bigtable instance.
        table: The table.
    """
    from google.cloud.bigtable import Client

    return Store(Client(project=project).instance(instance).table(table))


@dataclass(frozen=True)
class Store:
    """A feature store. Its methods may be called from many threads.

    Args:
        table: The table of the features.
    """

    table: Table
    _known: dict[str, tuple[float, Head]] = field(default_factory=dict, compare=False, repr=False)

    def features(self, feature_set: str, entity: str, at: datetime | None = None) -> Features | None:
        """The newest features of one entity, all of the same push.

        Args:
            feature_set: The set's name.
            entity: The entity.
            at: Only what was pushed for this time or before; for sets in upsert mode.

        Raises:
            ValueError: `at` has no time zone, or the set is in snapshot mode, which keeps no history.
        """
        head = self._head(feature_set)
        if head is None:
            return None
        if head.mode == "snapshot":
            if at is not None:
                raise ValueError(
                    f"{feature_set} is a snapshot, of which only the newest is kept; leave out `at`"
                )
            return self._of_snapshot(feature_set, head, [entity]).get(entity)
        return next(self._newest_first(feature_set, head, entity, at), None)

    def many(self, feature_set: str, entities: Iterable[str]) -> dict[str, Features]:
        """The newest features of several entities; those that have none are left out."""
        head, wanted = self._head(feature_set), list(dict.fromkeys(entities))
        if head is None or not wanted:
            return {}
        if head.mode == "snapshot":
            return self._of_snapshot(feature_set, head, wanted)
        with ThreadPoolExecutor(min(PARALLEL, len(wanted))) as pool:
            found = pool.map(lambda e: next(self._newest_first(feature_set, head, e, None), None), wanted)
            return {features.entity: features for features in found if features is not None}

    def history(self, feature_set: str, entity: str, limit: int = 24) -> list[Features]:
        """What was pushed for one entity, newest first; a snapshot has only its newest.

        Args:
            feature_set: The set's name.
            entity: The entity.
            limit: At most so many pushes.
        """
        head = self._head(feature_set)
        if head is None:
            return []
        if head.mode == "snapshot":
            return list(self._of_snapshot(feature_set, head, [entity]).values())
        return list(islice(self._newest_first(feature_set, head, entity, None, limit), limit))

    def _head(self, feature_set: str) -> Head | None:
        """The set's head. A pointer is read anew each time; the head of an upsert set seldom changes."""
        since, known = self._known.get(feature_set, (0.0, None))
        if known is not None and time.monotonic() - since < HEAD_SECONDS:
            return known
        head = read_head(self.table, feature_set)
        if head is not None and head.mode == "upsert":
            self._known[feature_set] = (time.monotonic(), head)
        return head

    def _of_snapshot(self, family: str, head: Head, entities: Sequence[str]) -> dict[str, Features]:
        """The rows of the generation that the pointer names.

        A generation outlives its successor's appearance by one push. Should two pushes end while these rows
        are read, the pointer has moved on, and the rows of the newer generation are read instead.
        """
        while True:
            found = self._generation(family, head, entities)
            if len(found) == len(entities):
                return found
            after = read_head(self.table, family)
            if after is None or after.generation == head.generation:
                return found
            head = after

    def _generation(self, family: str, head: Head, entities: Sequence[str]) -> dict[str, Features]:
        from google.cloud.bigtable.row_filters import FamilyNameRegexFilter
        from google.cloud.bigtable.row_set import RowSet

        rows = RowSet()
        for entity in entities:
            rows.add_row_key(row_key(entity, head.generation.suffix))
        found = self.table.read_rows(row_set=rows, filter_=FamilyNameRegexFilter(family))
        return {f.entity: f for row in found for f in _of_row(row, family, head.types)}

    def _newest_first(
        self, family: str, head: Head, entity: str, at: datetime | None, limit: int = 1
    ) -> Iterator[Features]:
        from google.cloud.bigtable.row_filters import (
            FamilyNameRegexFilter,
            RowFilter,
            RowFilterChain,
            TimestampRange,
            TimestampRangeFilter,
        )

        prefix = entity_prefix(entity)
        start = prefix
        filters: list[RowFilter] = [FamilyNameRegexFilter(family)]
        if at is not None:
            if at.tzinfo is None:
                raise ValueError(f"at={at} has no time zone; give one, such as datetime.now(UTC)")
            ms = int(at.timestamp() * 1000)
            start = prefix + suffix(ms, head.span_ms).encode()
            filters.append(
                TimestampRangeFilter(TimestampRange(end=datetime.fromtimestamp((ms + 1) / 1000, UTC)))
            )
        chosen = RowFilterChain(filters=filters) if len(filters) > 1 else filters[0]
        end = prefix[:-1] + bytes([prefix[-1] + 1])
        for row in self.table.read_rows(start_key=start, end_key=end, limit=limit, filter_=chosen):
            yield from _of_row(row, family, head.types)


def _of_row(row: Any, family: str, types: dict[str, FeatureType]) -> Iterator[Features]:
    """What a row holds, by as-of time, newest first."""
    times: dict[int, dict[str, Any]] = {}
    for name, cells in row.cells.get(family, {}).items():
        for cell in cells:
            value = feature_value(cell.value, types.get(name.decode()))
            times.setdefault(cell.timestamp_micros, {})[name.decode()] = value
    for micros in sorted(times, reverse=True):
        yield Features(entity_of(row.row_key), datetime.fromtimestamp(micros / _MICROS, UTC), times[micros])
