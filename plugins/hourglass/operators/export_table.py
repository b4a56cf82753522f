"""The copy of one table's rows for recovery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from hourglass.cloud import bigquery as bq
from hourglass.operators.base import JobOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform


class ExportTableOperator(JobOperator):
    """A BigQuery job that copies one table; skipped while nobody has built the table.

    Args:
        table: The table, as `dataset.name`.
        platform: The deployment's names.
        kwargs: Passed to the operator's base class.
    """

    def __init__(self, *, table: str, platform: Platform, **kwargs: Any) -> None:
        super().__init__(platform=platform, **kwargs)
        self.table = table
        self.platform = platform

    def execute(self, context: Context) -> Any:
        """Copy, or skip: the manifest has the tables of every source, and a source may not have run yet."""
        from google.api_core.exceptions import NotFound

        try:
            bq.client(self.platform, self.gcp_conn_id).get_table(f"{self.platform.project}.{self.table}")
        except NotFound:
            raise AirflowSkipException(f"{self.table} is not there: its model has not run yet") from None
        return super().execute(context)
