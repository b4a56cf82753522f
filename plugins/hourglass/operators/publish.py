"""Stage 4: the candidate replaces exactly its partition of the published table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq
from hourglass.operators.base import FlowJobOperator
from hourglass.operators.handover import candidate_table, hand_on, handed_on, in_step, out_of_step
from hourglass.operators.tasks import ACCOUNT, LOADS, ROWS, VALIDATE
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context
    from google.cloud.bigquery import Client, Table

    from hourglass.partition import Partition

_CANDIDATE = "candidate"  # the XCom that survives the wait for the job


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
        table = self._seen(bigquery, context, partition)
        target = bq.ensure_published(bigquery, self.platform, self.source, self.flow)
        candidate = self.flow.candidate(self.platform, self.source, partition)
        published = self.flow.published(self.platform, self.source)
        if partition.grain.shares_hour:
            self.configuration = bq.merge_configuration(
                candidate, published, self.source, self.flow, partition
            )
        elif table.num_rows:
            bq.widen(bigquery, table, target.schema)
            self.configuration = bq.copy_configuration(candidate, published, self.source, partition)
        else:
            bigquery.delete_table(f"{published}${partition.decorator}", not_found_ok=True)
            self.log.info("%s has no rows: removed %s$%s", candidate, published, partition.decorator)
            hand_on(context, outcome)
            return None
        context["ti"].xcom_push(key=_CANDIDATE, value=_made(table))
        return self._done(context, outcome, super().execute(context))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Check the job that the trigger has waited for."""
        job = super().execute_complete(context, event)
        return self._done(context, handed_on(context, ACCOUNT)[ACCOUNT], job)

    def _seen(self, bigquery: Client, context: Context, partition: Partition) -> Table:
        """The candidate, when it has as many rows as the gate has counted.

        A load that was cleared alone makes it anew, and empty at first: taken for an hour without rows, it would
        remove the published one.
        """
        candidate = self.flow.candidate(self.platform, self.source, partition)
        table = candidate_table(bigquery, self.source, partition, candidate)
        counted = (context["ti"].xcom_pull(task_ids=ACCOUNT) or {}).get(ROWS[self.flow_name])
        rows = int(table.num_rows or 0)
        if rows != counted:
            how = f"; nothing was published: candidate {candidate} has {rows} rows, {ACCOUNT} has counted {counted}"
            raise out_of_step(self.source, partition, how)
        return table

    def _done(self, context: Context, outcome: str | None, job: Any) -> Any:
        """Hand the outcome on, unless the candidate was made anew while the job read it.

        Raises:
            AirflowFailException: It was, so that nobody knows which rows are published.
        """
        partition = partition_of(context, self.source.grain)
        candidate = self.flow.candidate(self.platform, self.source, partition)
        bigquery = bq.client(self.platform, self.gcp_conn_id)
        seen = context["ti"].xcom_pull(task_ids=self.task_id, key=_CANDIDATE)
        if seen != _made(candidate_table(bigquery, self.source, partition, candidate)):
            how = f": candidate {candidate} was made anew while it was published, so that readers may see other rows"
            raise out_of_step(self.source, partition, how)
        hand_on(context, outcome)
        return job


def _made(table: Table) -> str:
    """When a table was made: the one that takes its name later differs in it."""
    return str(table.created)
