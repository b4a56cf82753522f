"""One hour of events in two versions, and which of the two a reader of each published place is shown."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from google.cloud import bigquery, storage

from hourglass.cloud.dataproc import LIVE_STATES, BatchHook, list_batches
from hourglass.features import read
from tests.e2e.oracle import Expected, expect, partition_start

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "github"
SAMPLE = ROOT / "include/samples/github/year=2021/month=07/day=21/hour=06/events-000.json.gz"
BAD = {"A": [b"not json"], "B": [b"not json", b'{"id": null}', b""]}
ROWS = {"A": slice(0, 30), "B": slice(10, 45)}
NOTHING, MIXED = "nothing", "MIXED"


@dataclass
class Hour:
    """A partition whose one object is now version A, now version B; a marker says that it is complete.

    Args:
        key: The partition, such as 2021-07-21T06.
        folder: A folder for the two versions' files.
    """

    key: str
    folder: Path
    expected: dict[str, Expected] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lines = gzip.decompress(SAMPLE.read_bytes()).splitlines()
        for version in ROWS:
            path = self.folder / version / f"{self.key}.json.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            chosen = [*self._own(lines[ROWS[version]]), *BAD[version]]
            path.write_bytes(gzip.compress(b"\n".join(chosen) + b"\n"))
            self.expected[version] = expect([path], self.start)

    @property
    def start(self) -> datetime:
        return partition_start(self.key)

    def _own(self, lines: list[bytes]) -> list[bytes]:
        """The events with ids, actors and times of this hour alone: no other hour's rows or features hide them."""
        stamp = f"{self.start:%Y-%m-%dT%H:30:00Z}"
        events = [json.loads(line) for line in lines]
        for event in events:
            event |= {"id": f"{event['id']}-{self.key}", "created_at": stamp}
            event["actor"]["login"] = f"{self.key}-{event['actor']['login']}"
        return [json.dumps(event).encode() for event in events]

    def land(self, version: str) -> None:
        """Put a version in the place of the other."""
        bucket = storage.Client().bucket(os.environ["HOURGLASS_RAW_BUCKET"])
        prefix = f"github/{self.start:year=%Y/month=%m/day=%d/hour=%H}/"
        bucket.blob(prefix + "events.json.gz").upload_from_filename(
            str(self.folder / version / f"{self.key}.json.gz")
        )
        bucket.blob(prefix + "_SUCCESS").upload_from_string(b"")

    def batches(self) -> dict[str, str]:
        """The states of the hour's batches, by name."""
        project, region = os.environ["HOURGLASS_PROJECT"], os.environ["HOURGLASS_REGION"]
        found = list_batches(BatchHook(), project, region, SOURCE, f"{self.start:%Y%m%d%H}")
        return {b.name: b.state.name for b in found}

    def live_batches(self) -> list[str]:
        """The hour's batches that have not ended."""
        return [name for name, state in self.batches().items() if state in LIVE_STATES]

    def shown(self) -> dict[str, str]:
        """By published place: A, B, nothing, or MIXED, which no reader may ever see."""
        return {**self.tables(), "features": self.features()}

    def tables(self) -> dict[str, str]:
        """The same of the tables alone."""
        return {
            "silver": self._which(self._ids("silver.github", "id"), lambda e: set(e.silver)),
            "quarantine": self._which(self._reasons(), lambda e: e.quarantined),
            "fact": self._which(self._ids("gold.fct_github_events", "event_id"), lambda e: set(e.silver)),
        }

    def _which(self, found: Any, of: Any) -> str:
        if not found:
            return NOTHING
        return next((v for v, expected in self.expected.items() if of(expected) == found), MIXED)

    def _ids(self, table: str, column: str) -> set[str]:
        dates = "" if table.startswith("silver") else "AND event_date >= '1970-01-01'"
        rows = self._query(f"SELECT {column} AS id FROM {table} WHERE landing_hour = @hour {dates}")
        found = {row["id"] for row in rows}
        return found if len(found) == len(rows) else {"a row is there twice"}

    def _reasons(self) -> Counter[str]:
        rows = self._query("SELECT reason FROM quarantine.github WHERE landing_hour = @hour")
        return Counter(row["reason"] for row in rows)

    def _query(self, sql: str) -> list[Mapping[str, Any]]:
        from google.api_core.exceptions import NotFound

        hour = bigquery.ScalarQueryParameter("hour", "TIMESTAMP", self.start)
        config = bigquery.QueryJobConfig(query_parameters=[hour])
        try:
            return list(bigquery.Client(location="US").query(sql, job_config=config).result())
        except NotFound:
            return []

    def features(self) -> str:
        """The same of the features: `A and B` where some entities are of each, every one as a whole.

        An upsert push replaces entity by entity, each at once.
        """
        wanted = {version: expected.features() for version, expected in self.expected.items()}
        entities = sorted(set().union(*wanted.values()))
        store = read.open_store(os.environ["HOURGLASS_PROJECT"], os.environ["HOURGLASS_BIGTABLE_INSTANCE"])
        pushed = store.many("github_actor", entities)
        found: set[str] = set()
        for entity in entities:
            values = pushed[entity].values if entity in pushed else {}
            of = [v for v, features in wanted.items() if _same(values, features.get(entity))]
            if not of:
                return MIXED
            if len(of) < len(wanted):  # the entity tells the versions apart
                found |= set(of)
        return " and ".join(sorted(found)) or NOTHING


def _same(found: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> bool:
    if wanted is None or not found:
        return wanted is None and not found
    return {name: found.get(name) for name in wanted} == wanted
