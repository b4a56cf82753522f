"""Writing ledger rows to BigQuery and reading them back."""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from hourglass.config import Platform
    from hourglass.ledger.row import LedgerRow

TABLE = "ops.partition_ledger"
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "BOOL"),
    (int, "INT64"),
    (datetime, "TIMESTAMP"),
    (str, "STRING"),
)
_INTEGERS = {
    "generation", "objects", "bytes", "lines", "silver", "quarantined", "duplicates", "published_rows",
    "feature_rows",
}  # fmt: skip


def append(client: Client, platform: Platform, row: LedgerRow, token: str = "") -> bool:
    """Append one row, exactly once for each attempt.

    A query job appends it, because load jobs are limited to 1,500 a table and day, and a hundred hourly
    sources need 2,400. The job's id names the attempt, so BigQuery itself refuses a second append.

    Args:
        client: The BigQuery client.
        platform: The deployment's names.
        row: The row.
        token: Tells the attempt from another one of the same run and number: a run that was deleted and made
            again, or a new Airflow, counts from 1 anew.

    Returns:
        False when this attempt had been recorded already.
    """
    from google.api_core.exceptions import Conflict
    from google.cloud.bigquery import QueryJobConfig

    ensure(client, platform)
    values = row.values()
    names = ", ".join(f"`{n}`" for n in values)
    places = ", ".join(f"@{n}" for n in values)
    config = QueryJobConfig(
        query_parameters=[_parameter(n, v) for n, v in values.items()],
        labels={**bq.LABELS, "stage": "announce"},
    )
    sql = f"INSERT INTO `{platform.project}.{TABLE}` ({names}) VALUES ({places})"  # noqa: S608 (constants)
    for number in count():
        job_id = f"{_job_id(row, token)}-{number}"
        try:
            client.query(sql, job_config=config, job_id=job_id, job_retry=None).result()
        except Conflict:
            # By an earlier call, or by this one's first request, whose answer was lost; so it may still run. One
            # that failed appended nothing, and its id is used up.
            job: Any = client.get_job(job_id, location=platform.location)
            if job.exception() is None:
                return False
        else:
            return True
    raise AssertionError  # a count has no end


def ensure(client: Client, platform: Platform) -> None:
    """Create the ledger unless it is there."""
    bq.ensure_dataset(client, platform, "ops")
    ddl = (platform.include / "sql" / "ddl" / "partition_ledger.sql").read_text("utf-8")
    client.query(ddl).result()


def attempt_digest(row: LedgerRow, token: str) -> str:
    """What names an attempt wherever it is recorded once; `append` says what `token` is."""
    return hashlib.sha256(f"{row.run_id} {row.attempt} {token}".encode()).hexdigest()[:16]


def _job_id(row: LedgerRow, token: str) -> str:
    name = f"ledger-{row.source}-{row.partition}-{attempt_digest(row, token)}"
    return re.sub(r"[^A-Za-z0-9_-]", "-", name)


def _parameter(name: str, value: Any) -> Any:
    from google.cloud.bigquery import ArrayQueryParameter, ScalarQueryParameter

    if isinstance(value, tuple):
        return ArrayQueryParameter(name, "DATE", [d.isoformat() if isinstance(d, date) else d for d in value])
    if value is None:
        return ScalarQueryParameter(name, "INT64" if name in _INTEGERS else "STRING", None)
    kind = next(kind for python, kind in _TYPES if isinstance(value, python))
    return ScalarQueryParameter(name, kind, value)


def states(
    client: Client, platform: Platform, source: str, start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """The newest row of each partition of a source that starts in a range, in order of the partitions.

    Args:
        client: The BigQuery client.
        platform: The deployment's names.
        source: The source's id.
        start: The first start.
        end: The first start that is not wanted.

    Returns:
        One mapping of column to value for each partition; none where there is no ledger yet.
    """
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

    sql = (platform.include / "sql" / "ops" / "partition_state.sql").read_text("utf-8")
    config = QueryJobConfig(
        query_parameters=[
            ScalarQueryParameter("source", "STRING", source),
            ScalarQueryParameter("range_start", "TIMESTAMP", start),
            ScalarQueryParameter("range_end", "TIMESTAMP", end),
        ],
        labels={**bq.LABELS, "source": source},
    )
    try:
        return [dict(row.items()) for row in client.query(sql, job_config=config).result()]
    except NotFound:
        return []
