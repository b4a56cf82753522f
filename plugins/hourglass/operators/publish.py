"""Stage 4: the candidate replaces exactly its partition of the published table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq
from hourglass.operators.base import FlowJobOperator
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
        """Make sure of the published table, then start the job."""
        partition = partition_of(context, self.source.grain)
        bigquery = bq.client(self.platform, self.gcp_conn_id)
        bq.ensure_published(bigquery, self.platform, self.source, self.flow)
        candidate = self.flow.candidate(self.platform, self.source, partition)
        published = self.flow.published(self.platform, self.source)
        if partition.grain.shares_hour:
            self.configuration = bq.merge_configuration(
                candidate, published, self.source, self.flow, partition
            )
            return super().execute(context)
        if not bigquery.get_table(str(candidate)).num_rows:
            bigquery.delete_table(f"{published}${partition.decorator}", not_found_ok=True)
            self.log.info("%s has no rows: removed %s$%s", candidate, published, partition.decorator)
            return None
        self.configuration = bq.copy_configuration(candidate, published, self.source, partition)
        return super().execute(context)
