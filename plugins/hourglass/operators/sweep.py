"""Late and replaced files: list the partitions inside the late window again, and run the changed ones again."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs
from hourglass.config.types import shown_duration
from hourglass.failure import explain
from hourglass.ledger import LedgerRow
from hourglass.ledger.history import admit_command
from hourglass.ledger.receipts import record
from hourglass.ledger.row import as_json
from hourglass.ledger.store import states
from hourglass.operators.base import CloudOperator
from hourglass.operators.notify import notify, receivers_of
from hourglass.operators.rerun import in_flight, rerun
from hourglass.operators.sense import glance, tables_of, where_of
from hourglass.partition.manifest import Manifest, manifest_name
from hourglass.partition.sweep import (
    OVERDUE_FOR,
    SETTLED,
    Change,
    first_new,
    judge,
    judge_missing,
    partitions_between,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context
    from google.cloud.bigquery import Client
    from google.cloud.storage import Client as Storage

    from hourglass.config import Platform, Source
    from hourglass.ingest.export import ExportManifest
    from hourglass.partition import Partition, Readiness, SourceObject

# Listings wait for an answer, each some 50 ms: a hundred sources have 17,000 of them. The client keeps ten connections.
AT_A_TIME = 8


@dataclass(frozen=True)
class Clients:
    """What a sweep asks; made once, since each new one costs a look at its connection and a handshake."""

    storage: Storage
    bigquery: Client


@dataclass(frozen=True)
class Glance:
    """A partition as it is now, with its manifest when it is complete."""

    partition: Partition
    readiness: Readiness
    manifest: Manifest | ExportManifest | None


class SweepOperator(CloudOperator):
    """Looks at every partition that the ledger knows and whose late window is open, or was until lately.

    A changed partition runs again, by clearing its one run, unless that is in flight; then the next sweep sees
    to it. Files that came after the window are reported by an alert and a ledger row, once for each state that
    the ledger has of the partition. A source or a partition that cannot be swept does not stop the others.

    Args:
        platform: The deployment's names.
        gcp_conn_id: The Airflow connection.
        kwargs: Passed to Airflow's base class.
    """

    def __init__(
        self, *, platform: Platform, gcp_conn_id: str = "google_cloud_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.platform = platform
        self.gcp_conn_id = gcp_conn_id

    def execute(self, context: Context) -> dict[str, list[str]]:
        """Sweep every source.

        Returns:
            By source: the partitions that run again and those with files that came too late.
        """
        from hourglass.config import load_sources

        clients = Clients(gcs.client(self.gcp_conn_id), bq.client(self.platform, self.gcp_conn_id))
        changed: dict[str, list[str]] = {}
        broken: list[str] = []
        for source in load_sources(self.platform.include).sources:
            try:
                found = self._sweep(source, clients, broken)
            except Exception as error:  # one source's bucket must not keep the others from being swept
                self.log.exception("%s could not be swept", source.id)
                broken.append(f"{source.id}: {type(error).__name__}: {error}")
            else:
                changed |= {source.id: found} if found else {}
        if broken:
            raise AirflowFailException(
                explain(
                    f"{len(broken)} sources or partitions could not be swept:\n    " + "\n    ".join(broken),
                    where="the log above, one trace for each",
                    next_step="correct what it names; the next sweep looks at the same partitions again",
                    heading="sweep-failed",
                )
            )
        return changed

    def _sweep(self, source: Source, clients: Clients, broken: list[str]) -> list[str]:
        now = datetime.now(tz=UTC)
        start = now - source.file.ingestion.late_window - OVERDUE_FOR
        rows = states(clients.bigquery, self.platform, source.id, source.grain.floor(start), now)
        known = {row["partition"]: row for row in rows}
        partitions = [p for p in partitions_between(source.grain, start, now) if p.key in known]
        changed = []
        for seen in self._glances(source, partitions, clients.storage, now):
            key = seen.partition.key
            try:
                did = self._settle(source, seen, known[key], clients, now)
            except Exception as error:  # nor must one partition keep the later ones from being looked at
                self.log.exception("%s %s could not be swept", source.id, key)
                broken.append(f"{source.id} {key}: {type(error).__name__}: {error}")
                continue
            if did:
                changed.append(f"{key}: {did}")
                self.log.info("%s %s", source.id, changed[-1])
        return changed

    def _glances(
        self, source: Source, partitions: Sequence[Partition], storage: Storage, now: datetime
    ) -> list[Glance]:
        """What every partition is like now. The first that cannot be listed ends it: so could not the others."""
        places = [where_of(source, self.platform, p, self.gcp_conn_id) for p in partitions]
        tables = tables_of(places[0]) if places else None
        pool = ThreadPoolExecutor(AT_A_TIME)
        try:
            found = list(pool.map(lambda where: glance(where, now, storage, tables), places))
        finally:
            pool.shutdown(cancel_futures=True)
        return [Glance(p, *judged) for p, judged in zip(partitions, found, strict=True)]

    def _settle(
        self, source: Source, seen: Glance, row: dict[str, Any], clients: Clients, now: datetime
    ) -> str:
        """Do what a partition's change asks for; say what was done, if anything."""
        change = self._change(source, seen, row, clients, now)
        if change is Change.LATE:
            result = rerun(source.id, seen.partition, "its files changed after it was processed")
            did = "was cleared or created" if result.started else "is in flight; the next sweep sees to it"
            return f"run {result.run_id} {did}"
        if change is Change.NONE or str(row["run_id"]).startswith(_report_of(seen)):
            return ""  # the newest row tells of just these files
        if in_flight(source.id, seen.partition):
            return ""  # that run may be about to take them in; what it leaves, the next sweep reports
        if not self._report(source, seen, row, clients):
            return ""
        return "objects are gone" if change is Change.REMOVED else "files came after the late window"

    def _change(
        self, source: Source, seen: Glance, row: dict[str, Any], clients: Clients, now: datetime
    ) -> Change:
        window = source.file.ingestion.late_window
        if seen.manifest is None:
            return judge_missing(seen.readiness.verdict, row, seen.partition, window, now)
        processed, found = row["manifest_hash"], seen.manifest.hash
        if found == processed:
            return Change.NONE
        before = self._processed(seen, processed, clients.storage)
        came = None if before is None else first_new(seen.readiness.objects, before)
        return judge(processed, found, came or now, seen.partition, window)

    def _processed(self, seen: Glance, digest: str | None, storage: Storage) -> Sequence[SourceObject] | None:
        """The objects that were processed; None where nothing says which."""
        if not isinstance(seen.manifest, Manifest):
            return ()  # of an export: the table itself is new
        if digest is None:
            return None
        name = manifest_name(seen.manifest.source, seen.partition.key, digest)
        text = gcs.read_text(storage, self.platform.ops_bucket, name)
        return None if text is None else Manifest.from_json(text).objects

    def _report(self, source: Source, seen: Glance, row: dict[str, Any], clients: Clients) -> bool:
        """Tell of files that are not taken in."""
        text = _told(source, seen, row)
        # First the people: killed in between, they hear of it twice rather than never.
        what = "files came too late" if seen.manifest else "files are gone"
        notify(f"{source.id} {seen.partition.key}: {what}", text, "warning", receivers_of(source))
        base = hashlib.sha256(f"{row['run_id']} {row['attempt']} {row['recorded_at']}".encode()).hexdigest()
        reported = LedgerRow(
            **{
                **row,
                "state": "overdue" if row["state"] in SETTLED else row["state"],
                "run_id": f"{_report_of(seen)}{base[:12]}",
                "attempt": 1,
                "recorded_at": datetime.now(tz=UTC),
                "event_dates": tuple(row["event_dates"] or ()),
                "warnings": as_json([text]),
            }
        )
        return record(clients.storage, clients.bigquery, self.platform, reported)


def _report_of(seen: Glance) -> str:
    """How the run ids of reports of these files begin; the ledger has no column for what was not processed."""
    digest = seen.manifest.hash if seen.manifest else "none"
    return f"overdue__{digest[:12]}__"


def _told(source: Source, seen: Glance, row: dict[str, Any]) -> str:
    were = row["objects"] or 0
    if seen.manifest is None:
        return (
            f"{were} objects were processed, and {seen.readiness.reason}. The published rows stay as they are. "
            "Ask the producer; if the files were moved to another partition, its lines are there twice until this "
            "one is run over what is left"
        )
    return (
        f"{len(seen.manifest.objects)} objects are there now, {were} were processed; the late window "
        f"of {shown_duration(source.file.ingestion.late_window)} has passed, so they were not taken in. To "
        f"take them in: {admit_command(source.id, seen.partition.key)}"
    )
