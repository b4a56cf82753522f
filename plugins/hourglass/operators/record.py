"""Stage 7: write the ledger row of this attempt, whatever became of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs
from hourglass.ledger import LedgerRow, summarize
from hourglass.ledger.receipts import record
from hourglass.ledger.row import as_json
from hourglass.operators.base import SourceOperator
from hourglass.operators.tasks import ACCOUNT, WAIT
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.partition import Partition


class RecordPartitionOperator(SourceOperator):
    """Appends one row to the ledger; runs after all other stages in any state.

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
        """
        partition = partition_of(context, self.source.grain)
        row = self._row(context, partition)
        storage = gcs.client(self.gcp_conn_id)
        client = bq.client(self.platform, self.gcp_conn_id)
        if record(storage, client, self.platform, row):
            self.log.info("Recorded %s %s: %s", row.source, row.partition, row.state)
        else:
            self.log.info("This attempt had been recorded already")
        return {k: v if isinstance(v, int | None) else str(v) for k, v in row.values().items()}

    def _row(self, context: Context, partition: Partition) -> LedgerRow:
        ti: Any = context["ti"]
        tasks = ti.get_task_breadcrumbs(dag_id=self.dag_id, run_id=ti.run_id)
        state, failed_stage, timings = summarize(tasks)
        manifest = ti.xcom_pull(task_ids=WAIT) or {}
        refined = ti.xcom_pull(task_ids=self.outcome) or {}
        counts = refined.get("counts") or {}
        accounted = ti.xcom_pull(task_ids=ACCOUNT) or {}
        validated = ti.xcom_pull(task_ids="gate.validate") or {}
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
            warnings=as_json(validated.get("findings", [])),
        )

    def _generation(self, partition: Partition) -> int:
        """How many manifests the partition has had: 1 until a late or replaced file changes it."""
        storage = gcs.client(self.gcp_conn_id)
        prefix = f"manifests/{self.source.id}/{partition.key}/"
        return len(gcs.list_objects(storage, self.platform.ops_bucket, prefix))
