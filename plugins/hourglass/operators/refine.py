"""Stage 2: the Dataproc Serverless batch that turns bronze lines into silver rows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.google.cloud.operators.dataproc import DataprocCreateBatchOperator
from airflow.providers.google.cloud.triggers.dataproc import DataprocBatchTrigger
from airflow.sdk.exceptions import AirflowException

from hourglass.cloud import gcs
from hourglass.cloud.dataproc import BatchAsyncHook, BatchHook, list_batches
from hourglass.cloud.quarantine_actions import settled
from hourglass.cloud.retry import patiently
from hourglass.failure import explain
from hourglass.operators.base import CloudOperator
from hourglass.operators.batch import RefineBatch, family, label_value
from hourglass.partition import Manifest
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform, Source
    from hourglass.partition import Partition

# States in which nobody will attach to the batch of this task any more.
GIVEN_UP = ("failed", "success", "skipped", "upstream_failed", "removed")


class BatchTrigger(DataprocBatchTrigger):
    """The provider's trigger with an endpoint setting, which cancels the batch of a task marked failed."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, for the triggerer."""
        return f"{type(self).__module__}.{type(self).__qualname__}", super().serialize()[1]

    def get_async_hook(self) -> BatchAsyncHook:
        """The hook that polls."""
        return BatchAsyncHook(gcp_conn_id=self.gcp_conn_id, impersonation_chain=self.impersonation_chain)

    async def on_kill(self) -> None:
        """Cancel the batch, unless the task was cleared: then its next try attaches to the batch.

        Airflow starts a cleared task's next try before it calls this, so the task's state tells the two
        cases apart.
        """
        from asgiref.sync import sync_to_async

        if await sync_to_async(task_state)(self.task_instance) in GIVEN_UP:
            hook = BatchHook(gcp_conn_id=self.gcp_conn_id, impersonation_chain=self.impersonation_chain)
            await sync_to_async(hook.cancel)(self.project_id, self.region, self.batch_id)
            self.log.info("Cancelled batch %s, because its task was marked as done", self.batch_id)


def task_state(ti: Any) -> str | None:
    """The state of a task instance as Airflow's database has it now."""
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    states = RuntimeTaskInstance.get_task_states(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id])
    state: str | None = states.get(ti.run_id, {}).get(ti.task_id)
    return state


class RefineOperator(CloudOperator, DataprocCreateBatchOperator):
    """Runs the refine job of one partition and returns what became of its lines.

    The batch id names the spec (manifest and configuration): a try that finds a batch of the same spec in
    flight attaches to it, any other try starts the next one. So a retry never doubles work in flight, and
    clearing a task that had succeeded really runs it again.

    Args:
        source: The DAG's source.
        platform: The deployment's names.
        manifest_uri: The manifest to refine (templated).
        kwargs: Passed to the provider's operator.
    """

    template_fields = (*DataprocCreateBatchOperator.template_fields, "manifest_uri")

    def __init__(self, *, source: Source, platform: Platform, manifest_uri: str, **kwargs: Any) -> None:
        super().__init__(
            region=platform.region, project_id=platform.project, batch={}, deferrable=True,
            polling_interval_seconds=3, **kwargs,
        )  # fmt: skip
        self.source = source
        self.platform = platform
        self.manifest_uri = manifest_uri
        self._ti: Any = None

    @cached_property
    def hook(self) -> BatchHook:
        """The hook that creates and cancels."""
        return BatchHook(gcp_conn_id=self.gcp_conn_id, impersonation_chain=self.impersonation_chain)

    def execute(self, context: Context) -> dict[str, Any]:
        """Attach to the batch in flight, or start the next one."""
        self._ti = context["ti"]
        partition = partition_of(context, self.source.grain)
        storage = gcs.client(self.gcp_conn_id)
        spec = self._spec(storage, partition)
        batches = list_batches(
            self.hook,
            self.platform.project,
            self.platform.region,
            label_value(self.source.id),
            partition.stamp,
        )
        self.batch_id, attached = family(self.source, partition, spec).choose(batches)
        self.log.info("%s batch %s", "Attaching to" if attached else "Starting", self.batch_id)
        if not attached:
            self._batch(partition).write_spec(storage, spec)
        self.batch = self._batch(partition).resource(storage)
        # A batch whose creation was done and its answer lost is found by its id, and attached to.
        bounds = patiently(f"Dataproc for batch {self.batch_id}")
        self.retry, self.timeout = bounds["retry"], bounds["timeout"]
        super().execute(context)
        return self._outcome(partition)

    def defer(self, *, trigger: Any, **kwargs: Any) -> NoReturn:
        """Defer to a trigger that knows the endpoint."""
        if isinstance(trigger, DataprocBatchTrigger):
            trigger = BatchTrigger(**trigger.serialize()[1])
        super().defer(trigger=trigger, **kwargs)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Check the batch's state and read its outcome."""
        self.batch_id = event["batch_id"] if event else self.batch_id
        super().execute_complete(context, event)
        return self._outcome(partition_of(context, self.source.grain))

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
                next_step="read the last lines of the driver output; clear this task to run the next batch",
                heading="refine-failed",
                runbook=self.source.file.runbook,
            )
        )

    def on_kill(self) -> None:
        """Cancel the batch of a task that was marked failed; a cleared task's next try attaches to it."""
        if self._ti is not None and self.batch_id and task_state(self._ti) in GIVEN_UP:
            self.hook.cancel(self.platform.project, self.platform.region, self.batch_id)

    def _spec(self, storage: Any, partition: Partition) -> dict[str, Any]:
        bucket, _, name = self.manifest_uri.removeprefix("gs://").partition("/")
        text = gcs.read_text(storage, bucket, name)
        if text is None:
            raise AirflowException(
                explain(
                    f"the manifest {self.manifest_uri} is gone",
                    where=self.manifest_uri,
                    next_step="clear `sense.wait`, which writes it anew",
                    heading="manifest-missing",
                )
            )
        manifest = Manifest.from_json(text)
        lines = settled(storage, self.platform, manifest)
        return {**self.source.refine_spec(manifest, partition), **({"settled": lines} if lines else {})}

    def _batch(self, partition: Partition) -> RefineBatch:
        return RefineBatch(self.source, self.platform, partition, str(self.batch_id))

    def _outcome(self, partition: Partition) -> dict[str, Any]:
        outcome = self._batch(partition).outcome(gcs.client(self.gcp_conn_id))
        self.log.info("Outcome of %s: %s", self.batch_id, outcome["counts"])
        return outcome
