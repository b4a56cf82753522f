"""What every operator that waits for a Dataproc Serverless batch has in common."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.google.cloud.operators.dataproc import DataprocCreateBatchOperator
from airflow.providers.google.cloud.triggers.dataproc import DataprocBatchTrigger
from airflow.sdk.exceptions import AirflowException

from hourglass.cloud import gcs
from hourglass.cloud.dataproc import BatchAsyncHook, BatchHook
from hourglass.failure import explain
from hourglass.operators.base import CloudOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform

SHOWN = 600  # characters of a driver's last line
# States in which no later try will attach to the batch of this task, or cancel it, any more.
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
        """Cancel the batch, unless the task was cleared: then its next try attaches to the batch, or cancels it.

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


class BatchOperator(CloudOperator, DataprocCreateBatchOperator):
    """A deferrable Dataproc batch; execute() decides which, and its resource.

    Args:
        platform: The deployment's names.
        heading: The runbook's heading for a batch that did not succeed.
        next_step: What the person who reads its message does about it.
        runbook: The runbook, if the source has one of its own.
        kwargs: Passed to the provider's operator.
    """

    def __init__(
        self, *, platform: Platform, heading: str, next_step: str, runbook: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(
            region=platform.region, project_id=platform.project, batch={}, deferrable=True, **kwargs
        )
        self.platform = platform
        self.heading = heading
        self.next_step = next_step
        self.runbook = runbook

    @cached_property
    def hook(self) -> BatchHook:
        """The hook that creates and cancels."""
        return BatchHook(gcp_conn_id=self.gcp_conn_id, impersonation_chain=self.impersonation_chain)

    def defer(self, *, trigger: Any, **kwargs: Any) -> NoReturn:
        """Defer to a trigger that knows the endpoint."""
        if isinstance(trigger, DataprocBatchTrigger):
            trigger = BatchTrigger(**trigger.serialize()[1])
        super().defer(trigger=trigger, **kwargs)

    def _last_line(self, output: str) -> str:
        """How the driver's output ends; nothing where this account may not read it, since the batch is what failed."""
        from google.api_core.exceptions import GoogleAPICallError

        try:
            return gcs.last_line(gcs.client(self.gcp_conn_id), output)
        except GoogleAPICallError as error:
            self.log.warning("The driver's output at %s cannot be read: %s", output, error)
            return ""

    def handle_batch_status(
        self, context: Context, state: str, batch_id: str, state_message: str | None = None
    ) -> None:
        """Fail on every terminal state but SUCCEEDED.

        Raises:
            AirflowException: With the batch, its message, and where the driver's output lies and how it ends.
        """
        if state == "SUCCEEDED":
            return
        batch = self.hook.get_batch(batch_id=batch_id, region=self.region, project_id=self.project_id)
        output = batch.runtime_info.output_uri
        said = self._last_line(output) if output else ""
        raise AirflowException(
            explain(
                f"batch {batch_id} ended {state}: {state_message or 'no message'}"
                + (f"\n    its last line: {said[:SHOWN]}" if said else ""),
                where=f"driver output {output or 'was not written'}",
                next_step=self.next_step,
                heading=self.heading,
                runbook=self.runbook,
            )
        )
