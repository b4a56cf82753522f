"""Stage 4: the candidate replaces exactly its partition of the published table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq
from hourglass.operators.base import FlowJobOperator
from hourglass.operators.handover import hand_on, handed_on, in_step
from hourglass.operators.tasks import ACCOUNT, LOADS, VALIDATE
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class PublishPartitionOperator(FlowJobOperator):
    """Swaps one flow's candidate into its partition: a copy job, which reads no bytes and is atomic.

    A partition without rows is deleted from the published table, since BigQuery has no empty partitions to
    copy. Partitions of less than an hour share one of BigQuery's, so that each is merged instead: a query job,
    just as atomic. Takes what `FlowJobOperator` takes.
    """

    def execute(self, context: Context) -> Any:
        """Make sure of the gate and of the published table, then start the job.

        Raises:
            AirflowFailException: The candidate is not the one that the gate has seen.
        """
        partition = partition_of(context, self.source.grain)
        outcome = in_step(self.source, partition, handed_on(context, *LOADS, ACCOUNT, VALIDATE))
        bigquery = bq.client(self.platform, self.gcp_conn_id)
        target = bq.ensure_published(bigquery, self.platform, self.source, self.flow)
        candidate = self.flow.candidate(self.platform, self.source, partition)
        published = self.flow.published(self.platform, self.source)
        if partition.grain.shares_hour:
            self.configuration = bq.merge_configuration(
                candidate, published, self.source, self.flow, partition
            )
            return self._done(context, outcome, super().execute(context))
        table = bigquery.get_table(str(candidate))
        if not table.num_rows:
            bigquery.delete_table(f"{published}${partition.decorator}", not_found_ok=True)
            self.log.info("%s has no rows: removed %s$%s", candidate, published, partition.decorator)
            return self._done(context, outcome, None)
        bq.widen(bigquery, table, target.schema)
        self.configuration = bq.copy_configuration(candidate, published, self.source, partition)
        return self._done(context, outcome, super().execute(context))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Check the job that the trigger has waited for."""
        job = super().execute_complete(context, event)
        return self._done(context, handed_on(context, ACCOUNT)[ACCOUNT], job)

    def _done(self, context: Context, outcome: str | None, job: Any) -> Any:
        hand_on(context, outcome)
        return job
