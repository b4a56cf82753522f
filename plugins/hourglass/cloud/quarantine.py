"""What a partition's quarantine holds: reasons with their counts and examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hourglass.cloud.quarantine_actions import LATEST
from hourglass.partition.replay import SETTLED

if TYPE_CHECKING:
    from hourglass.cloud.quarantine_actions import Actions

SHOWN = 200  # characters of a line, which may be long, and may hold personal data
# What became of each line: open, unless a replay has settled it or somebody has decided about it.
_JUDGED = f"""
SELECT
    q.reason, q.field, q.raw_line, q.source_object, q.source_line,
    CASE WHEN q.reason IN UNNEST(@settled) THEN 'replayed' ELSE COALESCE(a.action, 'open') END AS state
FROM `{{quarantine}}` AS q
LEFT JOIN ({LATEST}) AS a ON q.source_object = a.source_object AND q.source_line = a.source_line
WHERE q.landing_hour = @landing_hour
"""  # noqa: S608 (a constant)
_REASONS = """
SELECT
    reason,
    field,
    COUNT(*) AS row_count,
    MIN(CONCAT(source_object, ':', CAST(source_line AS STRING))) AS first_place,
    ANY_VALUE(SUBSTR(SAFE_CONVERT_BYTES_TO_STRING(raw_line), 1, {length})) AS example
FROM ({judged})
WHERE state = 'open'
GROUP BY reason, field
ORDER BY row_count DESC, reason, field
"""
_SUMMARY = """
SELECT
    reason,
    field,
    COUNT(*) AS row_count,
    COUNTIF(state = 'open') AS open_count,
    COUNTIF(state = 'replayed') AS replayed_count,
    COUNTIF(state = 'discarded') AS discarded_count,
    MIN(CONCAT(source_object, ':', CAST(source_line AS STRING))) AS first_place
FROM ({judged})
GROUP BY reason, field
ORDER BY row_count DESC, reason, field
"""
_LINES = """
SELECT reason, field, raw_line, source_object, source_line, state
FROM ({judged})
WHERE (@every_reason OR reason IN UNNEST(@reasons)) AND (@every_state OR state = 'open')
ORDER BY source_object, source_line
LIMIT {limit}
"""


@dataclass(frozen=True, slots=True)
class Reason:
    """One kind of quarantined line.

    Args:
        reason: A kind of damage, or the name of the rule that is broken.
        field: The offending field, where one can be named.
        rows: How many lines.
        place: The first of them, as `gs://bucket/object:line`.
        example: The beginning of one line.
    """

    reason: str
    field: str | None
    rows: int
    place: str
    example: str

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"{self.reason}{where}: {self.rows} lines, first {self.place}, such as {self.example!r}"


@dataclass(frozen=True, slots=True)
class Kept:
    """One quarantined line.

    Args:
        reason: Why.
        field: The offending field, where one can be named.
        raw: The line as it was read.
        object: The object it was read from, as a URI.
        line: Its number there, from 1.
        state: open, replayed or discarded.
    """

    reason: str
    field: str | None
    raw: bytes
    object: str
    line: int
    state: str


@dataclass(frozen=True)
class Quarantine:
    """One partition's quarantine with what was decided about it.

    Args:
        actions: The actions on it.
        table: The candidate or the published quarantine, as `project.dataset.table`.
        in_force: The actions that hold (see `Actions.in_force`).
    """

    actions: Actions
    table: str
    in_force: Sequence[str]

    def open_reasons(self) -> list[Reason]:
        """The reasons of the lines about which nobody has decided, the most frequent first."""
        return [
            Reason(r["reason"], r["field"], r["row_count"], r["first_place"], r["example"] or "")
            for r in self._query(_REASONS, length=SHOWN)
        ]

    def summary(self) -> list[dict[str, Any]]:
        """Counts by reason and field, the most frequent first."""
        return self._query(_SUMMARY)

    def lines(self, wanted: Sequence[str], limit: int, *, only_open: bool) -> list[Kept]:
        """Lines in order of their places.

        Args:
            wanted: Reasons; all of them when empty.
            limit: At most so many.
            only_open: Leave out those about which somebody has decided.
        """
        from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter

        parameters = [
            ArrayQueryParameter("reasons", "STRING", list(wanted)),
            ScalarQueryParameter("every_reason", "BOOL", not wanted),
            ScalarQueryParameter("every_state", "BOOL", not only_open),
        ]
        rows = self._query(_LINES, parameters, limit=int(limit))
        return [
            Kept(
                r["reason"],
                r["field"],
                r["raw_line"] or b"",
                r["source_object"],
                r["source_line"],
                r["state"],
            )
            for r in rows
        ]

    def _query(self, sql: str, parameters: Sequence[Any] = (), **parts: Any) -> list[dict[str, Any]]:
        from google.cloud.bigquery import ArrayQueryParameter

        judged = _JUDGED.format(quarantine=self.table, actions=self.actions.table)
        given = [
            ArrayQueryParameter("in_force", "STRING", list(self.in_force)),
            ArrayQueryParameter("settled", "STRING", list(SETTLED)),
        ]
        return self.actions.query(sql.format(judged=judged, **parts), [*given, *parameters])
