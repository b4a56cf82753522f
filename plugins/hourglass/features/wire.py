"""Feature rows as the bytes of Bigtable's MutateRowsRequest, a column at a time.

A protobuf object for each of a row's cells costs Python more than Bigtable needs to store it. All that differs
between two cells of a column is the value and three lengths; so Arrow joins values with prepared bytes, and a
request's entries are one slice of one buffer. tests/unit/test_feature_wire.py reads the result with Google's
own classes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from hourglass.partition.features import FeatureType, cell_value, row_key

if TYPE_CHECKING:
    import pyarrow as pa

ENTITY = "entity"
# protobuf tags: field number * 8 + 2, for everything that has a length.
_ENTRY, _ROW_KEY, _MUTATION = b"\x12", b"\x0a", b"\x12"
_SET_CELL, _FAMILY, _QUALIFIER, _TIMESTAMP, _VALUE = b"\x0a", b"\x0a", b"\x12", b"\x18", b"\x22"
_NEEDS_ESCAPE = r'["\\\x00-\x1f]'


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(tag: bytes, value: bytes) -> bytes:
    """A field with its length."""
    return tag + varint(len(value)) + value


@dataclass(frozen=True)
class Encoder:
    """Turns record batches into entries of MutateRowsRequest.

    Args:
        family: The column family.
        as_of_ms: The cells' timestamp, milliseconds since the epoch.
        end: The end of the row keys.
        types: The features' BigQuery types, by which JSON is told from text.
        stale: Features whose cells of this time are removed, because an earlier push may have written them.
        top: How many items of a list are kept; None keeps all.
    """

    family: str
    as_of_ms: int
    end: str
    types: Mapping[str, FeatureType]
    stale: Sequence[str] = ()
    top: int | None = None

    def puts(self, batch: pa.RecordBatch) -> pa.Array:
        """Entries that write the rows of a batch, each as a whole.

        Args:
            batch: The column `entity` and one column for each feature.

        Raises:
            ValueError: An entity is missing.
        """
        import pyarrow as pa

        entities = batch.column(ENTITY)
        if entities.null_count:
            raise ValueError(
                f"{entities.null_count} rows have no entity; filter them in the feature set's SQL"
            )
        keys = [field(_ROW_KEY, row_key(str(e), self.end)) + self._deletions for e in entities.to_pylist()]
        cells = [
            self._cells(name, column)
            for name, column in zip(batch.schema.names, batch.columns, strict=True)
            if name != ENTITY
        ]
        return _entries([pa.array(keys, pa.binary()), *cells])

    def drops(self, entities: Sequence[str]) -> pa.Array:
        """Entries that remove the stale features' cells of this time; cells of other times stay."""
        import pyarrow as pa

        keys = [field(_ROW_KEY, row_key(entity, self.end)) + self._deletions for entity in entities]
        return _entries([pa.array(keys, pa.binary())])

    def mutations(self, batch: pa.RecordBatch) -> int:
        """How many mutations a row of the batch is, of which a request may have 100,000."""
        return len(self.stale) + int(batch.num_columns) - 1

    @cached_property
    def _deletions(self) -> bytes:
        from google.cloud.bigtable_v2.types import Mutation

        start, out = self.as_of_ms * 1000, b""
        for name in self.stale:
            cells = Mutation.pb().DeleteFromColumn(family_name=self.family, column_qualifier=name.encode())
            cells.time_range.start_timestamp_micros = start
            cells.time_range.end_timestamp_micros = start + 1000
            out += field(_MUTATION, Mutation.pb()(delete_from_column=cells).SerializeToString())
        return out

    def _cells(self, name: str, column: pa.Array) -> pa.Array:
        """One cell of every row, as a mutation."""
        import pyarrow.compute as pc

        values = json_column(column, self.types.get(name), self.top)
        start = (
            field(_FAMILY, self.family.encode())
            + field(_QUALIFIER, name.encode())
            + _TIMESTAMP
            + varint(self.as_of_ms * 1000)
        )

        def head(length: int) -> bytes:
            rest = start + _VALUE + varint(length)
            cell = _SET_CELL + varint(len(rest) + length) + rest
            return _MUTATION + varint(len(cell) + length) + cell

        return pc.binary_join_element_wise(_heads(values, head), values, b"")


def _entries(parts: list[Any]) -> pa.Array:
    import pyarrow.compute as pc

    rows = pc.binary_join_element_wise(*parts, b"") if len(parts) > 1 else parts[0]
    return pc.binary_join_element_wise(_heads(rows, lambda n: _ENTRY + varint(n)), rows, b"")


def _heads(values: pa.Array, head: Any) -> pa.Array:
    """What stands before each value: a function of its length, called once for each length."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = pc.binary_length(values).to_numpy(zero_copy_only=False)
    unique, where = np.unique(lengths, return_inverse=True)
    return pa.array([head(int(n)) for n in unique], pa.binary()).take(pa.array(where))


def json_column(column: pa.Array, kind: FeatureType | None, top: int | None = None) -> pa.Array:
    """A column's values as JSON text, null included, equal to what `cell_value` gives.

    Args:
        column: The values.
        kind: Their BigQuery type; a column of type JSON is text already.
        top: How many items of a list are kept; None keeps all.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    text = None
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
        text = pc.cast(column, pa.string())
    elif pa.types.is_string(column.type):
        if kind == "JSON":
            text = column
        elif not pc.any(pc.match_substring_regex(column, _NEEDS_ESCAPE)).as_py():
            text = pc.binary_join_element_wise('"', column, '"', "")
    if text is None:
        return pa.array([cell_value(_cut(v, kind, top)) for v in column.to_pylist()], pa.binary())
    return pc.fill_null(text, "null").cast(pa.binary())


def _cut(value: Any, kind: FeatureType | None, top: int | None) -> Any:
    if isinstance(value, list) and isinstance(kind, list):
        shown = value[:top]
        return [json.loads(v) for v in shown] if kind == ["JSON"] else shown
    return value
