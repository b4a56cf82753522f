"""Head rows: what a feature set's readers must know, and in snapshot mode the pointer that they follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hourglass.partition.features import Generation, Head, head_key

if TYPE_CHECKING:
    from google.cloud.bigtable.table import Table

TABLE = "features"
FAMILY = "head"
_HEAD, _GENERATION = b"head", b"generation"


def read_head(table: Table, family: str) -> Head | None:
    """A feature set's head; None before its first push."""
    row = table.read_row(head_key(family))
    cells = row.cells.get(FAMILY, {}).get(_HEAD) if row is not None else None
    return Head.from_json(cells[0].value) if cells else None


def write_head(table: Table, family: str, head: Head) -> Generation:
    """Write a head, unless a newer generation's is there: one conditional write of one row.

    Returns:
        The generation that readers see now.
    """
    from google.cloud.bigtable.row_filters import (
        ColumnQualifierRegexFilter,
        FamilyNameRegexFilter,
        RowFilterChain,
        ValueRangeFilter,
    )

    mine = str(head.generation).encode()
    newer = RowFilterChain(
        filters=[
            FamilyNameRegexFilter(FAMILY),
            ColumnQualifierRegexFilter(_GENERATION),
            ValueRangeFilter(start_value=mine, inclusive_start=False),
        ]
    )
    row = table.conditional_row(head_key(family), filter_=newer)
    row.delete_cells(FAMILY, [_HEAD, _GENERATION], state=False)
    row.set_cell(FAMILY, _HEAD, head.to_json(), state=False)
    row.set_cell(FAMILY, _GENERATION, mine, state=False)
    if not row.commit():
        return head.generation
    there = read_head(table, family)
    if there is None:
        raise RuntimeError(f"the head row of {family} vanished while it was written; push the set again")
    return there.generation
