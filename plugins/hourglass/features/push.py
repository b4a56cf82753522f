"""One push, as both engines do it: record batches in, checked rows in Bigtable out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from hourglass.features.send import MAX_ROWS, Sender
from hourglass.features.wire import ENTITY, Encoder
from hourglass.partition.features import FeatureType

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud.bigtable.table import Table

RECORD_ROWS = 20_000  # of one part of the record: written before the first of its rows is sent


@dataclass(frozen=True)
class Push:
    """What a push writes where.

    Args:
        family: The column family.
        as_of_ms: The cells' timestamp, milliseconds since the epoch.
        end: The end of the row keys.
        types: The features' BigQuery types, by name.
        stale: Features that earlier pushes of the partition had and this one has not.
        top: How many items of a list are kept; None keeps all.
    """

    family: str
    as_of_ms: int
    end: str
    types: dict[str, FeatureType]
    stale: tuple[str, ...] = ()
    top: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The push in a Spark job's spec."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """Read what `to_json` made."""
        return cls(**{**document, "stale": tuple(document["stale"])})

    def write(
        self,
        table: Table,
        batches: Iterable[pa.RecordBatch],
        before: Callable[[Sequence[str]], None] = lambda entities: None,
    ) -> int:
        """Write rows; memory is bounded by a few requests.

        Args:
            table: The table.
            batches: The rows: the column `entity` and one column for each feature.
            before: Called with some thousand entities before the first of them is sent.

        Returns:
            The number of rows.

        Raises:
            PushError: Rows could not be written.
        """
        encoder = Encoder(self.family, self.as_of_ms, self.end, self.types, self.stale, self.top)

        def encoded() -> Iterator[tuple[pa.Array, int]]:
            for part in regrouped(batches, RECORD_ROWS):
                before([e for batch in part for e in batch.column(ENTITY).to_pylist()])
                for batch in part:
                    yield encoder.puts(batch), encoder.mutations(batch)

        return Sender(table).send(encoded())

    def remove(self, table: Table, entities: Iterable[str], features: Sequence[str]) -> int:
        """Remove the cells that pushes for this as-of time may have written; other times stay.

        Returns:
            The number of entities.
        """
        if not features:
            return 0
        encoder = Encoder(self.family, self.as_of_ms, self.end, {}, tuple(features))
        return Sender(table).send((encoder.drops(some), len(features)) for some in chunks(entities, MAX_ROWS))


def regrouped(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[list[pa.RecordBatch]]:
    """The batches in groups of at least so many rows; a large batch is cut into pieces of MAX_ROWS."""
    group: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        for start in range(0, batch.num_rows, MAX_ROWS):
            piece = batch.slice(start, MAX_ROWS)
            group.append(piece)
            held += piece.num_rows
            if held >= rows:
                yield group
                group, held = [], 0
    if group:
        yield group


def chunks(items: Iterable[str], size: int) -> Iterator[list[str]]:
    """The items in lists of at most a size."""
    chunk: list[str] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def record_line(entity: str) -> str:
    """An entity as a line of a push's record."""
    return json.dumps(entity)
