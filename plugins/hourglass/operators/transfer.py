"""Stage 1 of another cloud's objects: Storage Transfer Service copies the partition's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
)
from airflow.triggers.base import BaseTrigger, TriggerEvent

from hourglass.failure import explain
from hourglass.operators.base import SourceOperator
from hourglass.operators.spark_batch import GIVEN_UP, task_state
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.partition import Partition


class TransferTrigger(BaseTrigger):
    """Waits for the end of one transfer operation; cancels it when its task is marked as done.

    Args:
        operation: The operation's name.
        gcp_conn_id: The Airflow connection.
        poll_seconds: Time between two looks.
    """

    def __init__(self, operation: str, gcp_conn_id: str, poll_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operation = operation
        self.gcp_conn_id = gcp_conn_id
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, for the triggerer."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        arguments = {
            "operation": self.operation,
            "gcp_conn_id": self.gcp_conn_id,
            "poll_seconds": self.poll_seconds,
        }
        return path, arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event once the operation has ended."""
        from hourglass.cloud.transfer import LIVE_STATES, TransferHook

        hook = TransferHook(gcp_conn_id=self.gcp_conn_id)
        while True:
            await asyncio.sleep(self.poll_seconds)
            seen = await asyncio.to_thread(hook.look, self.operation)
            if seen["status"] not in LIVE_STATES:
                break
        yield TriggerEvent(seen)

    async def on_kill(self) -> None:
        """Cancel the operation, unless the task was cleared: then its next try attaches to it."""
        from asgiref.sync import sync_to_async

        if await sync_to_async(task_state)(self.task_instance) in GIVEN_UP:
            await sync_to_async(cancel)(self.operation, self.gcp_conn_id)
            self.log.info("Cancelled %s, because its task was marked as done", self.operation)


def cancel(operation: str, gcp_conn_id: str) -> None:
    """Cancel an operation."""
    from hourglass.cloud.transfer import TransferHook

    TransferHook(gcp_conn_id=gcp_conn_id).cancel_transfer_operation(operation)


class TransferPartition(SourceOperator):
    """Copies a partition once it is closed, then completes the set by its marker.

    A try that finds the partition's transfer in flight attaches to it; any other try transfers again, which
    copies only what differs.

    Args:
        aws_conn_id: The Airflow connection with the role or the access key for the other cloud.
        poll_seconds: Time between two looks at the transfer.
        kwargs: Passed to `SourceOperator`.
    """

    def __init__(self, *, aws_conn_id: str = "aws_default", poll_seconds: float = 5.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id
        self.poll_seconds = poll_seconds
        self._ti: Any = None
        self._operation: str | None = None

    def execute(self, context: Context) -> None:
        """Wait for the partition's closing, or start."""
        closes = partition_of(context, self.source.grain).end + self.source.completeness.close_after
        if datetime.now(tz=UTC) < closes:
            self.log.info("The partition closes at %s UTC", f"{closes:%Y-%m-%d %H:%M:%S}")
            self.defer(trigger=DateTimeTrigger(moment=closes), method_name="start")
        self.start(context)

    def start(self, context: Context, event: Any = None) -> None:
        """Attach or start, and defer until the transfer has ended."""
        from hourglass.cloud.landing import LandingSet
        from hourglass.cloud.transfer import TransferHook, transfer_job

        partition = partition_of(context, self.source.grain)
        job = transfer_job(self.source, self.platform, partition, self._credentials())
        self._ti = context.get("ti")
        LandingSet.of(self.source, self.platform, partition, self.gcp_conn_id).reopen()
        hook = TransferHook(gcp_conn_id=self.gcp_conn_id)
        self._operation, attached = hook.start(job)
        self.log.info("%s %s of %s", "Attaching to" if attached else "Started", self._operation, job["name"])
        trigger = TransferTrigger(self._operation, self.gcp_conn_id, self.poll_seconds)
        self.defer(trigger=trigger, method_name="resume")

    def resume(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Check how the transfer ended, and complete the set."""
        from hourglass.cloud.landing import LandingSet

        partition = partition_of(context, self.source.grain)
        counters = {name: int(value) for name, value in event["counters"].items()}
        self.log.info("%s ended %s: %s", event["operation"], event["status"], counters)
        if event["status"] != "SUCCESS":
            raise AirflowException(
                self._explain(
                    f"{event['operation']} ended {event['status']}: {event['errors'] or 'no details'}",
                    "correct what it names: the bucket, the path, the rights of the role or key; clear this task",
                    "transfer-failed",
                )
            )
        found = counters.get("objectsFoundFromSource", 0)
        self._check_empty(found, partition)
        landing = LandingSet.of(self.source, self.platform, partition, self.gcp_conn_id)
        landing.mark({"objects": found})
        return {"uri": landing.uri, "objects": found, "copied": counters.get("objectsCopiedToSink", 0)}

    def on_kill(self) -> None:
        """Cancel the transfer of a task that was marked failed; a cleared task's next try attaches to it."""
        if self._ti is not None and self._operation and task_state(self._ti) in GIVEN_UP:
            cancel(self._operation, self.gcp_conn_id)

    def _check_empty(self, found: int, partition: Partition) -> None:
        on_empty = self.source.completeness.on_empty
        if found or on_empty == "accept":
            return
        if on_empty == "skip":
            raise AirflowSkipException(f"there is nothing to transfer for {partition.key}; on_empty is skip")
        raise AirflowFailException(
            self._explain(
                f"{self.source.id} {partition.key} is incomplete: there is nothing to transfer",
                "ask the producer; if an empty partition is normal, set on_empty; then clear this task",
                "partition-missing",
            )
        )

    def _credentials(self) -> dict[str, Any]:
        from hourglass.cloud.transfer import credentials_of

        try:
            found = credentials_of(BaseHook.get_connection(self.aws_conn_id))
        except AirflowNotFoundException:
            found = None
        if found is None:
            raise AirflowFailException(
                self._explain(
                    f"there is no Airflow connection {self.aws_conn_id!r} with a role or an access key",
                    f"create it: `airflow connections add {self.aws_conn_id} --conn-type aws --conn-extra "
                    '\'{"role_arn": "arn:aws:iam::…"}\'`; clear this task',
                    "secret-missing",
                )
            )
        return found

    def _explain(self, what: str, next_step: str, heading: str) -> str:
        ingestion: Any = self.source.file.ingestion
        return explain(
            what,
            where=f"s3://{ingestion.source_bucket}/{ingestion.source_path}, transfer jobs "
            f"hourglass-{self.source.id.replace('_', '-')}-… of {self.platform.project}",
            next_step=next_step,
            heading=heading,
            runbook=self.source.file.runbook,
        )
