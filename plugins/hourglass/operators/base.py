"""What the operators of one source have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator
from airflow.sdk import BaseOperator

from hourglass.cloud import bigquery as bq

if TYPE_CHECKING:
    from hourglass.config import Platform, Source


class SourceOperator(BaseOperator):
    """An operator that works on partitions of one source.

    Args:
        source: The DAG's source.
        platform: The deployment's names.
        gcp_conn_id: The Airflow connection.
        kwargs: Passed to Airflow's base class.
    """

    def __init__(
        self,
        *,
        source: Source,
        platform: Platform,
        gcp_conn_id: str = "google_cloud_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.platform = platform
        self.gcp_conn_id = gcp_conn_id


class FlowJobOperator(BigQueryInsertJobOperator):
    """A deferrable BigQuery job on one flow of a source; execute() decides its configuration.

    Args:
        source: The DAG's source.
        platform: The deployment's names.
        flow: The name of the rows it works on: silver or quarantine.
        kwargs: Passed to the provider's operator.
    """

    def __init__(self, *, source: Source, platform: Platform, flow: str, **kwargs: Any) -> None:
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
        self.flow_name = flow

    @property
    def flow(self) -> bq.Flow:
        """The rows it works on; made by the task, since no DAG file needs a table's columns."""
        return bq.flows(self.source)[self.flow_name]
