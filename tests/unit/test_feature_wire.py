"""The bytes that a push sends, read back with Google's own classes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from google.cloud.bigtable_v2.types import MutateRowsRequest
from hypothesis import given
from hypothesis import strategies as st

from hourglass.features.send import _content
from hourglass.features.wire import Encoder, json_column
from hourglass.partition.features import cell_value, row_key

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "entity": TEXT,
            "n": st.none() | st.integers(-(2**63), 2**63 - 1),
            "rate": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "yes": st.none() | st.booleans(),
            "words": st.none() | TEXT,
        }
    ),
    min_size=1,
    max_size=20,
)
SCHEMA = pa.schema(
    [
        ("entity", pa.string()),
        ("n", pa.int64()),
        ("rate", pa.float64()),
        ("yes", pa.bool_()),
        ("words", pa.string()),
    ]
)


def entries(encoded: pa.Array) -> Any:
    return MutateRowsRequest.pb().FromString(_content(encoded)).entries


@given(ROWS, st.integers(1, 9_999_999_999_999))
def test_entries_are_what_googles_classes_read(rows: list[dict[str, Any]], as_of_ms: int) -> None:
    encoder = Encoder("fam", as_of_ms, "0001", {})
    read = entries(encoder.puts(pa.RecordBatch.from_pylist(rows, SCHEMA)))
    assert [e.row_key for e in read] == [row_key(r["entity"], "0001") for r in rows]
    for entry, row in zip(read, rows, strict=True):
        cells = [m.set_cell for m in entry.mutations]
        assert {c.family_name for c in cells} == {"fam"}
        assert {c.timestamp_micros for c in cells} == {as_of_ms * 1000}
        found = {c.column_qualifier.decode(): json.loads(c.value) for c in cells}
        assert found == {k: v for k, v in row.items() if k != "entity"}


def test_a_slice_of_entries_is_a_request_of_its_own() -> None:
    batch = pa.RecordBatch.from_pylist([{"entity": f"e{i}", "n": i} for i in range(10)])
    encoded = Encoder("f", 1, "0", {}).puts(batch).slice(3, 4)
    assert [json.loads(e.mutations[0].set_cell.value) for e in entries(encoded)] == [3, 4, 5, 6]
    assert len(entries(encoded.take(pa.array([0, 3])))) == 2


def test_stale_features_go_in_the_same_entry_and_only_at_this_time() -> None:
    batch = pa.RecordBatch.from_pylist([{"entity": "e", "n": 1}])
    first, second = entries(Encoder("f", 5, "0", {}, ("old",)).puts(batch))[0].mutations
    span = first.delete_from_column.time_range
    assert first.delete_from_column.column_qualifier == b"old"
    assert (span.start_timestamp_micros, span.end_timestamp_micros) == (5000, 6000)
    assert second.set_cell.column_qualifier == b"n"


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([1, None]), "INT64"),
        (pa.array([True, False, None]), "BOOL"),
        (pa.array([0.5, 1.0, None]), "FLOAT64"),
        (pa.array(["plain", None]), "STRING"),
        (pa.array(['a "quote"', "\n", "é"]), "STRING"),
        (pa.array([datetime(2021, 7, 21, 6, tzinfo=UTC)], pa.timestamp("us", "UTC")), "TIMESTAMP"),
        (pa.array([date(2021, 7, 21)]), "DATE"),
        (pa.array([Decimal("1.20")]), "NUMERIC"),
        (pa.array([[1, 2], [], None]), ["INT64"]),
        (pa.array([[{"item": "a", "score": 0.5}]]), [{"item": "STRING", "score": "FLOAT64"}]),
    ],
)
def test_a_column_is_written_as_its_values_are(column: pa.Array, kind: Any) -> None:
    assert json_column(column, kind).to_pylist() == [cell_value(v) for v in column.to_pylist()]


def test_json_is_written_as_it_is_and_lists_are_cut() -> None:
    assert json_column(pa.array(['{"a":1}', None]), "JSON").to_pylist() == [b'{"a":1}', b"null"]
    assert json_column(pa.array([[1, 2, 3]]), ["INT64"], top=2).to_pylist() == [b"[1,2]"]


def test_a_row_without_an_entity_is_refused() -> None:
    batch = pa.RecordBatch.from_pylist(
        [{"entity": None, "n": 1}], pa.schema([("entity", pa.string()), ("n", pa.int64())])
    )
    with pytest.raises(ValueError, match="1 rows have no entity"):
        Encoder("f", 1, "0", {}).puts(batch)
