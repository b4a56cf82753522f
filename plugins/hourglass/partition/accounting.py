"""Law 1, conservation: every line that was read is silver, quarantined or a duplicate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

TELLING = 10  # lines; fewer that are all bad tell nothing of their producer


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a partition's lines.

    Args:
        lines: Lines read from the objects, counted before any classification.
        silver: Rows committed to silver.
        quarantined: Rows committed to the quarantine.
        duplicates: Lines whose key had already been seen in the partition.
    """

    lines: int
    silver: int
    quarantined: int
    duplicates: int

    @classmethod
    def from_mapping(cls, counts: Mapping[str, Any]) -> Self:
        """Read the `counts` of an outcome file."""
        return cls(*(int(counts[name]) for name in ("lines", "silver", "quarantined", "duplicates")))


def conservation_problems(counts: Counts, *, candidate_rows: int, quarantine_rows: int) -> list[str]:
    """Check law 1 for one partition.

    Args:
        counts: The outcome's counts.
        candidate_rows: Rows in the candidate table.
        quarantine_rows: Rows in the quarantine's candidate table.

    Returns:
        One sentence for each broken equation, with its numbers; empty when the law holds.
    """
    problems = []
    accounted = counts.silver + counts.quarantined + counts.duplicates
    if counts.lines != accounted:
        problems.append(
            f"{counts.lines} lines were read but {accounted} are accounted for ({counts.silver} silver"
            f" + {counts.quarantined} quarantined + {counts.duplicates} duplicates): "
            f"{counts.lines - accounted:+d}"
        )
    if candidate_rows != counts.silver:
        problems.append(
            f"the candidate table has {candidate_rows} rows, silver has {counts.silver}: "
            f"{candidate_rows - counts.silver:+d}"
        )
    if quarantine_rows != counts.quarantined:
        problems.append(
            f"the quarantine's candidate has {quarantine_rows} rows, the job quarantined "
            f"{counts.quarantined}: {quarantine_rows - counts.quarantined:+d}"
        )
    return problems


def too_many_quarantined(counts: Counts, *, rate: float, rows: int) -> bool:
    """Whether more of a partition was quarantined than its source allows.

    Both limits must be exceeded: one bad line of five is no reason to wake anybody, nor are a thousand of a
    billion. A partition of which nothing else is left is too much whatever the limits: its producer has dropped
    a required field, or sends something else altogether.

    Args:
        counts: The outcome's counts.
        rate: The allowed share of the lines, 0 to 1.
        rows: The allowed number of lines.
    """
    if counts.quarantined == counts.lines >= TELLING:
        return True
    return counts.quarantined > rows and counts.quarantined > rate * counts.lines
