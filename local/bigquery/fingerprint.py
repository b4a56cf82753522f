"""FARM_FINGERPRINT over whole columns: local-bigquery's own function runs Python once for every row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from duckdb.func import ARROW
from local_bigquery.sql import native

NAME = "_farm_fingerprint"


class Words(np.ndarray[Any, Any]):
    """Unsigned 64-bit numbers that take Python's unbounded integers modulo 2^64."""

    def __radd__(self, other: Any) -> Any:
        return super().__add__(other & native.MASK if isinstance(other, int) else other)


class Batch:
    """Equally long byte strings that answer like one, so that one algorithm hashes them at once."""

    def __init__(self, rows: npt.NDArray[np.uint8]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return int(self.rows.shape[1])

    def __getitem__(self, position: int) -> Any:
        return self.rows[:, position].astype(np.uint64)

    def fetch(self, position: int, kind: str) -> Any:
        """Read a little-endian number at a position of every string.

        Args:
            position: of the first byte.
            kind: numpy's name of the number's type, <u8 or <u4.
        """
        size = np.dtype(kind).itemsize
        columns = np.ascontiguousarray(self.rows[:, position : position + size])
        return columns.view(kind)[:, 0].astype(np.uint64).view(Words)


def fetching(fetch: Callable[[Any, int], Any], kind: str) -> Callable[[Any, int], Any]:
    """Let a fetch of local-bigquery's algorithm read from a batch too."""

    def run(data: Any, position: int) -> Any:
        return data.fetch(position, kind) if isinstance(data, Batch) else fetch(data, position)

    return run


def fingerprints(values: Any) -> Any:
    """Hash a column.

    Args:
        values: Arrow binary values without nulls; DuckDB leaves those out.

    Returns:
        An Arrow array of the signed 64-bit fingerprints.
    """
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    array = array.cast(pa.large_binary())
    _, starts, content = array.buffers()
    offsets = np.frombuffer(starts, np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(content or b"", np.uint8)
    lengths = np.diff(offsets)
    hashes = np.empty(len(array), np.uint64)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        batch = Batch(data[offsets[rows][:, None] + np.arange(length)])
        hashes[rows] = native._fingerprint(batch)
    return pa.array(hashes.view(np.int64))


def register_batched(register: Callable[[Any], None]) -> Callable[[Any], None]:
    """Register the column function instead of the row function."""

    def run(connection: duckdb.DuckDBPyConnection) -> None:
        native.FUNCTIONS.pop(NAME, None)
        register(connection)
        connection.create_function(NAME, fingerprints, ["BLOB"], "BIGINT", type=ARROW)

    return run


def apply() -> None:
    """Install the column function."""
    native._fetch64 = fetching(native._fetch64, "<u8")
    native._fetch32 = fetching(native._fetch32, "<u4")
    native.register = register_batched(native.register)
