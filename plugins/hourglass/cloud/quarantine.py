"""What a partition's quarantine holds: reasons with their counts and examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from hourglass.partition import Partition

SHOWN = 200  # characters of a line, which may be long, and may hold personal data
_SQL = """
SELECT
    reason,
    field,
    COUNT(*) AS row_count,
    MIN(CONCAT(source_object, ':', CAST(source_line AS STRING))) AS first_place,
    ANY_VALUE(SUBSTR(SAFE_CONVERT_BYTES_TO_STRING(raw_line), 1, {length})) AS example
FROM `{table}`
WHERE landing_hour = @landing_hour
GROUP BY reason, field
ORDER BY row_count DESC, reason, field
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


def reasons(client: Client, table: str, partition: Partition) -> list[Reason]:
    """The reasons in a quarantine table of one partition, the most frequent first.

    Args:
        client: The BigQuery client.
        table: The candidate or the published quarantine, as `project.dataset.table`.
        partition: The partition.
    """
    from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

    config = QueryJobConfig(
        query_parameters=[ScalarQueryParameter("landing_hour", "TIMESTAMP", partition.start)]
    )
    rows = client.query(_SQL.format(table=table, length=SHOWN), job_config=config).result()
    return [
        Reason(r["reason"], r["field"], r["row_count"], r["first_place"], r["example"] or "") for r in rows
    ]
