"""Iceberg's old snapshots: one Dataproc batch a day drops them, with the files that only they hold."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.google.cloud.operators.dataproc import DataprocCreateBatchOperator
from airflow.providers.google.cloud.triggers.dataproc import DataprocBatchTrigger
from airflow.sdk.exceptions import AirflowException

from hourglass.cloud import gcs
from hourglass.cloud.dataproc import BatchHook
from hourglass.failure import explain
from hourglass.operators.base import CloudOperator
from hourglass.operators.batch import resource_of, spark_properties
from hourglass.operators.refine import BatchTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform

KEEP_DAYS = 7  # for reading a table as it was, and longer than any batch or retry takes
JOB = ("expire.py", "hg_sql.py")


class ExpireSnapshotsOperator(CloudOperator, DataprocCreateBatchOperator):
    """Runs the expire job over the Iceberg tables of every source.

    Args:
        platform: The deployment's names.
        kwargs: Passed to the provider's operator.
    """

    def __init__(self, *, platform: Platform, **kwargs: Any) -> None:
        super().__init__(
            region=platform.region, project_id=platform.project, batch={}, deferrable=True,
            polling_interval_seconds=10, **kwargs,
        )  # fmt: skip
        self.platform = platform

    @cached_property
    def hook(self) -> BatchHook:
        """The hook that creates and cancels."""
        return BatchHook(gcp_conn_id=self.gcp_conn_id, impersonation_chain=self.impersonation_chain)

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

    def defer(self, *, trigger: Any, **kwargs: Any) -> NoReturn:
        """Defer to a trigger that knows the endpoint."""
        if isinstance(trigger, DataprocBatchTrigger):
            trigger = BatchTrigger(**trigger.serialize()[1])
        super().defer(trigger=trigger, **kwargs)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> None:
        """Check the batch's state; Airflow keeps nothing of it."""
        super().execute_complete(context, event)

    def handle_batch_status(
        self, context: Context, state: str, batch_id: str, state_message: str | None = None
    ) -> None:
        """Fail on every terminal state but SUCCEEDED.

        Raises:
            AirflowException: With the batch, its message and the driver's log.
        """
        if state == "SUCCEEDED":
            return
        batch = self.hook.get_batch(batch_id=batch_id, region=self.region, project_id=self.project_id)
        raise AirflowException(
            explain(
                f"batch {batch_id} ended {state}: {state_message or 'no message'}",
                where=f"driver output {batch.runtime_info.output_uri or 'was not written'}",
                next_step="read the last lines of the driver output; clear this task, or wait for tomorrow's run",
                heading="expire-failed",
            )
        )

    def _resource(self, tables: list[str]) -> dict[str, Any]:
        arguments, labels = [str(KEEP_DAYS), *tables], {"hourglass-stage": "expire"}
        return resource_of(self.platform, self._upload(), arguments, labels, spark_properties(self.platform))

    def _upload(self) -> list[str]:
        storage, folder = gcs.client(self.gcp_conn_id), self.platform.include / "spark"
        code = {name: (folder / name).read_text("utf-8") for name in JOB}
        version = hashlib.sha256("\n".join(code.values()).encode()).hexdigest()[:12]
        for name, text in code.items():
            gcs.create_once(storage, self.platform.ops_bucket, f"spark/{version}/{name}", text)
        return [self.platform.uri(f"spark/{version}/{name}") for name in code]
