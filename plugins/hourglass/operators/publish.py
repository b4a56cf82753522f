"""Stage 4: the candidate replaces exactly its partition of the published table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator

from hourglass.cloud import bigquery as bq
from hourglass.operators.candidate import job_labels
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform, Source


class PublishPartitionOperator(BigQueryInsertJobOperator):
    """Swaps one flow's candidate into its partition: a copy job, which reads no bytes and is atomic.

    A partition without rows is deleted from the published table, since BigQuery has no empty partitions to
    copy.

    Args:
        source: The DAG's source.
        platform: The deployment's names.
        flow: The rows to publish: silver or quarantine.
        kwargs: Passed to the provider's operator.
    """

    def __init__(self, *, source: Source, platform: Platform, flow: bq.Flow, **kwargs: Any) -> None:
        super().__init__(
            configuration={},
            project_id=platform.project,
            location=platform.location,
            deferrable=True,
            poll_interval=1.0,
            **kwargs,
        )
        self.source = source
        self.platform = platform
        self.flow = flow

    def execute(self, context: Context) -> Any:
        """Make sure of the published table, then start the copy job."""
        partition = partition_of(context, self.source.grain)
        bigquery = bq.client(self.platform, self.gcp_conn_id)
        bq.ensure_published(bigquery, self.platform, self.source, self.flow)
        candidate = self.flow.candidate(self.platform, self.source, partition)
        published = self.flow.published(self.platform, self.source)
        if not bigquery.get_table(str(candidate)).num_rows:
            bigquery.delete_table(f"{published}${partition.decorator}", not_found_ok=True)
            self.log.info("%s has no rows: removed %s$%s", candidate, published, partition.decorator)
            return None
        labels = job_labels(self.source, "publish")
        self.configuration = bq.copy_configuration(candidate, published, partition, labels)
        return super().execute(context)
