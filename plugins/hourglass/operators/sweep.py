"""Late and replaced files: list the partitions inside the late window again, and run the changed ones again."""

from __future__ import annotations

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
from hourglass.operators.rerun import rerun
from hourglass.operators.sense import look, where_of
from hourglass.partition.completeness import Verdict
from hourglass.partition.sweep import OVERDUE_FOR, Change, judge, partitions_between

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform, Source
    from hourglass.partition import Partition


class SweepOperator(CloudOperator):
    """Looks at every partition that the ledger knows and whose late window is open, or was until lately.

    A changed partition runs again, by clearing its one run, unless that is in flight; then the next sweep sees
    to it. Files that came after the window are reported once, by an alert and a ledger row. A source that
    cannot be swept does not stop the others.

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

        changed: dict[str, list[str]] = {}
        broken: list[str] = []
        for source in load_sources(self.platform.include).sources:
            try:
                if found := self._sweep(source, datetime.now(tz=UTC)):
                    changed[source.id] = found
            except Exception as error:  # one source's bucket must not keep the others from being swept
                self.log.exception("%s could not be swept", source.id)
                broken.append(f"{source.id}: {type(error).__name__}: {error}")
        if broken:
            raise AirflowFailException(
                explain(
                    f"{len(broken)} sources could not be swept:\n    " + "\n    ".join(broken),
                    where="the log above, one trace for each",
                    next_step="correct what it names; the next sweep looks at the same partitions again",
                    heading="sweep-failed",
                )
            )
        return changed

    def _sweep(self, source: Source, now: datetime) -> list[str]:
        window = source.file.ingestion.late_window
        known = self._recorded(source, now)
        changed = []
        for partition in partitions_between(source.grain, now - window - OVERDUE_FOR, now):
            if partition.key not in known:
                continue
            where = where_of(source, self.platform, partition, self.gcp_conn_id)
            readiness, manifest = look(where, now)
            if readiness.verdict is not Verdict.COMPLETE:
                continue
            row = known[partition.key]
            change = judge(row["manifest_hash"], manifest["hash"], partition, window, now)
            if change is Change.LATE:
                changed.append(f"{partition.key}: {self._run_again(source, partition)}")
            elif change is Change.OVERDUE and self._report(source, partition, row, manifest):
                changed.append(f"{partition.key}: files came after the late window")
        for line in changed:
            self.log.info("%s %s", source.id, line)
        return changed

    def _recorded(self, source: Source, now: datetime) -> dict[str, dict[str, Any]]:
        client = bq.client(self.platform, self.gcp_conn_id)
        start = now - source.file.ingestion.late_window - OVERDUE_FOR
        rows = states(client, self.platform, source.id, source.grain.floor(start), now)
        return {row["partition"]: row for row in rows}

    def _run_again(self, source: Source, partition: Partition) -> str:
        result = rerun(source.id, partition, "its files changed after it was processed")
        did = "was cleared or created" if result.started else "is in flight; the next sweep sees to it"
        return f"run {result.run_id} {did}"

    def _report(
        self, source: Source, partition: Partition, row: dict[str, Any], manifest: dict[str, Any]
    ) -> bool:
        text = (
            f"{manifest['objects']} objects are there now, {row['objects'] or 0} were processed; the late window "
            f"of {shown_duration(source.file.ingestion.late_window)} has passed, so they were not taken in. To "
            f"take them in: {admit_command(source.id, partition.key)}"
        )
        reported = LedgerRow(
            **{
                **row,
                "state": "overdue",
                "run_id": f"overdue__{manifest['hash'][:12]}",
                "attempt": 1,
                "recorded_at": datetime.now(tz=UTC),
                "event_dates": tuple(row["event_dates"] or ()),
                "warnings": as_json([text]),
            }
        )
        # The run's id is the manifest's, so that BigQuery itself refuses to record one finding twice.
        client = bq.client(self.platform, self.gcp_conn_id)
        if not record(gcs.client(self.gcp_conn_id), client, self.platform, reported):
            return False
        notify(f"{source.id} {partition.key}: files came too late", text, "warning", receivers_of(source))
        return True
