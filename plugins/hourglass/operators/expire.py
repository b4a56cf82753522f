"""Iceberg's old snapshots: one Dataproc batch a day drops them, with the files that only they hold."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from hourglass.cloud import gcs
from hourglass.operators.batch import resource_of, spark_properties, upload_code
from hourglass.operators.spark_batch import BatchOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform

KEEP_DAYS = 7  # for reading a table as it was, and longer than any batch or retry takes
JOB = ("expire.py", "hg_sql.py")


class ExpireSnapshotsOperator(BatchOperator):
    """Runs the expire job over the Iceberg tables of every source.

    Args:
        platform: The deployment's names.
        kwargs: Passed to the provider's operator.
    """

    def __init__(self, *, platform: Platform, **kwargs: Any) -> None:
        super().__init__(
            platform=platform,
            polling_interval_seconds=10,
            heading="expire-failed",
            next_step="read the last lines of the driver output; clear this task, or wait for tomorrow's run",
            **kwargs,
        )

    def execute(self, context: Context) -> None:
        """Start the batch and wait, deferred, for its end."""
        from hourglass.config import load_sources

        tables = [
            str(table)
            for source in load_sources(self.platform.include).sources
            if source.file.ingestion.pattern != "bigquery_export"
            for table in (f"lake.silver.{source.id}", f"lake.quarantine.{source.id}")
        ]
        ti: Any = context["ti"]
        run = hashlib.sha256(f"{ti.run_id} {ti.try_number} {ti.id}".encode()).hexdigest()[:12]
        self.batch_id = f"expire-snapshots-{run}"
        self.batch = self._resource(tables)
        super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Check the batch's state; Airflow keeps nothing of it."""
        super().execute_complete(context, event)

    def _resource(self, tables: list[str]) -> dict[str, Any]:
        folder = self.platform.include / "spark"
        code = {name: (folder / name).read_bytes() for name in JOB}
        files = upload_code(gcs.client(self.gcp_conn_id), self.platform, code)
        arguments, labels = [str(KEEP_DAYS), *tables], {"hourglass-stage": "expire"}
        return resource_of(self.platform, files, arguments, labels, spark_properties(self.platform))
