"""A ledger row is appended once for each attempt, whatever became of an earlier request to append it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery, storage

from hourglass.config import Platform
from hourglass.ledger import LedgerRow
from hourglass.ledger.receipts import receipts, record
from hourglass.ledger.store import TABLE, append
from hourglass.partition import Grain, Partition

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
HOUR = Partition(datetime(2026, 4, 1, 6, tzinfo=UTC), Grain.HOUR)
SOURCE = "orders"


def row(run_id: str, state: str = "published") -> LedgerRow:
    return LedgerRow(
        source=SOURCE, partition=HOUR.key, landing_hour=HOUR.start, grain="hour", state=state, run_id=run_id,
        attempt=1, recorded_at=datetime.now(tz=UTC), manifest_hash="abc",
    )  # fmt: skip


@pytest.fixture(scope="module")
def platform() -> Platform:
    return Platform.from_env()


@pytest.fixture(scope="module")
def client(platform: Platform) -> Iterator[bigquery.Client]:
    made = bigquery.Client(project=platform.project, location=platform.location)
    yield made
    made.query(f"DELETE FROM {TABLE} WHERE source = '{SOURCE}' AND landing_hour = '{HOUR.start}'").result()


def recorded(client: bigquery.Client, run_id: str) -> list[Any]:
    sql = f"SELECT state FROM {TABLE} WHERE landing_hour = '{HOUR.start}' AND run_id = '{run_id}' ORDER BY state"
    return [r["state"] for r in client.query(sql).result()]


class Failing:
    """The client, whose next job with an id of its own fails at BigQuery, as one does that meets a quota."""

    def __init__(self, client: bigquery.Client) -> None:
        self._client = client
        self.failed = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def query(self, sql: str, **options: Any) -> Any:
        if "job_id" in options and not self.failed:
            self.failed = options["job_id"]
            sql = f"{sql.split(' VALUES ', maxsplit=1)[0]} SELECT ERROR('quota')"
        return self._client.query(sql, **options)


def test_an_attempt_is_recorded_once(client: bigquery.Client, platform: Platform) -> None:
    assert append(client, platform, row("once")) is True
    assert append(client, platform, row("once")) is False
    assert recorded(client, "once") == ["published"]


def test_a_job_that_failed_does_not_stand_in_the_way_for_ever(
    client: bigquery.Client, platform: Platform
) -> None:
    failing: Any = Failing(client)
    with pytest.raises(GoogleAPICallError):
        append(failing, platform, row("again"))
    assert failing.failed
    assert recorded(client, "again") == []
    assert append(client, platform, row("again")) is True
    assert append(client, platform, row("again")) is False
    assert recorded(client, "again") == ["published"]


def test_a_run_that_was_deleted_and_made_again_counts_anew(
    client: bigquery.Client, platform: Platform
) -> None:
    objects = storage.Client()
    assert record(objects, client, platform, row("scheduled__6", "failed"), token="first") is True
    assert record(objects, client, platform, row("scheduled__6"), token="second") is True
    assert record(objects, client, platform, row("scheduled__6"), token="second") is False
    assert recorded(client, "scheduled__6") == ["failed", "published"]
    kept = [r.state for r in receipts(objects, platform, SOURCE) if r.run_id == "scheduled__6"]
    assert sorted(kept) == ["failed", "published"]
