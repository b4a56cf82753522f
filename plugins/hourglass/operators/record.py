"""Stage 7: write the ledger row of this attempt, whatever became of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs
from hourglass.failure import explain
from hourglass.ledger import LedgerRow, summarize
from hourglass.ledger.receipts import record
from hourglass.ledger.row import as_json, stage_of
from hourglass.operators.base import SourceOperator
from hourglass.operators.batch import RefineBatch
from hourglass.operators.handover import agreed, described, handed_on
from hourglass.operators.tasks import ACCOUNT, PUBLISHED, VALIDATE, WAIT
from hourglass.partition.manifest import Manifest, manifest_name
from hourglass.run import partition_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow.sdk import Context

    from hourglass.partition import Partition


class PartitionFailedError(AirflowFailException):
    """Another task of the run has failed, which has told of it itself."""


class RecordPartitionOperator(SourceOperator):
    """Appends one row to the ledger; runs after all other stages in any state.

    Where one of them has failed, this task fails as well: who clears what has failed then clears it too, and the
    ledger learns that the partition is healed.

    Args:
        outcome: The task that says what became of the partition's lines.
        kwargs: Passed to `SourceOperator`.
    """

    def __init__(self, *, outcome: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outcome = outcome

    def execute(self, context: Context) -> dict[str, Any]:
        """Gather what the stages left and append it.

        Returns:
            The row, with dates as text.

        Raises:
            PartitionFailedError: The partition failed, and the ledger says so now.
        """
        partition = partition_of(context, self.source.grain)
        row = self._row(context, partition)
        storage = gcs.client(self.gcp_conn_id)
        client = bq.client(self.platform, self.gcp_conn_id)
        ti: Any = context["ti"]
        if record(storage, client, self.platform, row, token=str(ti.id)):
            self.log.info("Recorded %s %s: %s", row.source, row.partition, row.state)
        else:
            self.log.info("This attempt had been recorded already")
        if row.state == "failed":
            raise PartitionFailedError(
                explain(
                    f"{row.source} {row.partition} failed{f' in {row.failed_stage}' if row.failed_stage else ''}, and "
                    "the ledger says so now",
                    where="the failed tasks of this run",
                    next_step="read the message of the first of them; clear them with this one, and the ledger is "
                    "written anew",
                    heading="partition-failed",
                    runbook=self.source.file.runbook,
                )
            )
        return {k: v if isinstance(v, int | None) else str(v) for k, v in row.values().items()}

    def _row(self, context: Context, partition: Partition) -> LedgerRow:
        ti: Any = context["ti"]
        tasks = list(ti.get_task_breadcrumbs(dag_id=self.dag_id, run_id=ti.run_id))
        state, failed_stage, timings = summarize(tasks)
        manifest = ti.xcom_pull(task_ids=WAIT) or {}
        refined = ti.xcom_pull(task_ids=self.outcome) or {}
        warnings = list((ti.xcom_pull(task_ids=VALIDATE) or {}).get("findings", []))
        if state == "published" and "outcome" in refined:
            worked = handed_on(context, *served(tasks))
            published = agreed(worked)
            refined, manifest = self._published(partition, worked.get(PUBLISHED[0]) or refined["outcome"])
            if published is None:
                # Without a manifest the sweeper takes the partition for a changed one, and runs it from the start.
                manifest = {}
                warnings.append(f"tasks were cleared alone and are out of step:\n    {described(worked)}")
        counts = refined.get("counts") or {}
        accounted = ti.xcom_pull(task_ids=ACCOUNT) or {}
        pushed = [
            ti.xcom_pull(task_ids=f"serve.push_{name}") or 0 for name in self.source.file.serving.feature_sets
        ]
        return LedgerRow(
            source=self.source.id,
            partition=partition.key,
            landing_hour=partition.start,
            grain=str(partition.grain),
            state=state,
            failed_stage=failed_stage,
            run_id=ti.run_id,
            attempt=ti.try_number,
            recorded_at=datetime.now(tz=UTC),
            manifest_hash=manifest.get("hash"),
            generation=self._generation(partition),
            schema_version=refined.get("schema_version"),
            batch_id=refined.get("batch_id"),
            objects=manifest.get("objects"),
            bytes=manifest.get("bytes"),
            lines=counts.get("lines"),
            silver=counts.get("silver"),
            quarantined=counts.get("quarantined"),
            duplicates=counts.get("duplicates"),
            published_rows=accounted.get("candidate_rows") if state == "published" else None,
            feature_rows=sum(pushed) if state == "published" else None,
            event_dates=tuple(date.fromisoformat(d) for d in refined.get("event_dates", [])),
            timings=as_json(timings),
            warnings=as_json(warnings),
        )

    def _published(self, partition: Partition, outcome_uri: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """What was refined into the rows that are published, and from which manifest."""
        storage = gcs.client(self.gcp_conn_id)
        batch = PurePosixPath(outcome_uri).stem
        refined = RefineBatch(self.source, self.platform, partition, batch).outcome(storage)
        digest = gcs.read_json(storage, outcome_uri)["manifest_hash"]
        text = gcs.read_text(
            storage, self.platform.ops_bucket, manifest_name(self.source.id, partition.key, digest)
        )
        objects = Manifest.from_json(text).objects if text else ()
        return refined, {
            "hash": digest,
            "objects": len(objects),
            "bytes": sum(one.size for one in objects),
        }

    def _generation(self, partition: Partition) -> int:
        """How many manifests the partition has had: 1 until a late or replaced file changes it."""
        storage = gcs.client(self.gcp_conn_id)
        prefix = f"manifests/{self.source.id}/{partition.key}/"
        return len(gcs.list_objects(storage, self.platform.ops_bucket, prefix))


def served(tasks: Iterable[Mapping[str, Any]]) -> list[str]:
    """The tasks that made what readers see: those of publish, transform and serve that succeeded.

    Args:
        tasks: One mapping with `task_id` and `state` for each finished task.
    """
    stages = ("publish", "transform", "serve")
    return [t["task_id"] for t in tasks if t["state"] == "success" and stage_of(t["task_id"]) in stages]
