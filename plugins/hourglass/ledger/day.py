"""What the ledger has of a day and of the partitions before it that may still change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq
from hourglass.partition.day import looked_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.cloud.bigquery import Client

    from hourglass.partition import Partition

QUERY = "sql/ops/partitions_of_days.sql"


def rows_of_day(client: Client, sql: str, sources: Iterable[str], day: Partition) -> list[dict[str, Any]]:
    """One row for each partition that the ledger knows.

    Args:
        client: The BigQuery client.
        sql: The text of `QUERY`; a triggerer may have no include folder.
        sources: The sources' ids.
        day: The day.

    Returns:
        What `assess_day` takes; nothing where there is no ledger yet.
    """
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import ArrayQueryParameter, QueryJobConfig, ScalarQueryParameter

    start, end = looked_at(day)
    config = QueryJobConfig(
        query_parameters=[
            ArrayQueryParameter("sources", "STRING", sorted(sources)),
            ScalarQueryParameter("range_start", "TIMESTAMP", start),
            ScalarQueryParameter("range_end", "TIMESTAMP", end),
        ],
        labels={**bq.LABELS, "stage": "wait"},
    )
    try:
        return [dict(row.items()) for row in client.query(sql, job_config=config).result()]
    except NotFound:
        return []
