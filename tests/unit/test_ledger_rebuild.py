"""A ledger row is read back as it was written, and what is told of a partition without one."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hourglass.ledger import LedgerRow
from hourglass.ledger.derive import Batch, Evidence, derived
from hourglass.ledger.receipts import receipt_name
from hourglass.partition import Grain, Partition

HOUR = Partition(datetime(2021, 7, 21, 6, tzinfo=UTC), Grain.HOUR)
NOW = datetime(2021, 7, 21, 8, tzinfo=UTC)
SPEC = {"manifest": {"hash": "new", "objects": [{"size": 10}, {"size": 5}]}}
COUNTS = {"lines": 12, "silver": 8, "quarantined": 3, "duplicates": 1}
OUTCOME = {
    "manifest_hash": "new",
    "schema_version": "1.0",
    "counts": COUNTS,
    "event_dates": ["2021-07-21"],
}


def told(outcome: Any = OUTCOME, published: tuple[int, int] = (0, 0), spec: Any = SPEC) -> LedgerRow:
    batch = Batch("refine-x-1", NOW, spec, outcome)
    return derived("x", HOUR, Evidence(["old", "new"], batch, published))


@given(
    st.sampled_from(["published", "failed", "overdue"]),
    st.none() | st.integers(0, 2**40),
    st.lists(st.dates(), max_size=3),
    st.text(),
)
def test_a_receipt_gives_the_row_back(state: str, rows: int | None, dates: list[date], run: str) -> None:
    row = LedgerRow(
        source="x", partition=HOUR.key, landing_hour=HOUR.start, grain="hour", state=state, run_id=run,
        attempt=2, recorded_at=NOW, published_rows=rows, event_dates=tuple(dates),
    )  # fmt: skip
    assert LedgerRow.from_mapping(json.loads(row.to_json())) == row
    assert LedgerRow.from_mapping(json.loads(row.to_json()) | {"a later column": 1}) == row


def test_every_attempt_has_a_receipt_of_its_own() -> None:
    names = {
        receipt_name(LedgerRow("x", HOUR.key, HOUR.start, "hour", "failed", run, attempt, NOW))
        for run in ("a", "b/c")
        for attempt in (1, 2)
    }
    assert len(names) == 4
    assert all(name.startswith("ledger/x/2021-07-21T06/") and name.count("/") == 3 for name in names)


def test_a_partition_whose_tables_have_the_outcomes_rows_is_published() -> None:
    row = told(published=(8, 3))
    assert (row.state, row.failed_stage, row.published_rows) == ("published", None, 8)
    assert (row.lines, row.silver, row.quarantined, row.duplicates) == (12, 8, 3, 1)
    assert (row.manifest_hash, row.generation, row.objects, row.bytes) == ("new", 2, 2, 15)
    assert (row.recorded_at, row.event_dates) == (NOW, (date(2021, 7, 21),))
    assert "not known" in row.warnings


@pytest.mark.parametrize("published", [(0, 0), (8, 0), (0, 3), (9, 3)])
def test_other_rows_mean_that_the_gate_stopped_it(published: tuple[int, int]) -> None:
    row = told(published=published)
    assert (row.state, row.failed_stage, row.published_rows) == ("failed", "gate", None)


def test_a_batch_without_an_outcome_failed() -> None:
    row = told(outcome=None)
    assert (row.state, row.failed_stage, row.lines, row.manifest_hash) == ("failed", "refine", None, "new")


def test_an_outcome_whose_spec_is_gone_still_counts() -> None:
    row = told(published=(8, 3), spec=None)
    assert (row.state, row.objects, row.manifest_hash) == ("published", None, "new")
