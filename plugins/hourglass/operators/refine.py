"""Stage 2: the Dataproc Serverless batch that turns bronze lines into silver rows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferralTimeout

from hourglass.cloud import gcs
from hourglass.cloud.dataproc import cancel_unended, list_batches
from hourglass.cloud.quarantine_actions import settled
from hourglass.cloud.retry import patiently
from hourglass.failure import explain
from hourglass.operators.batch import RefineBatch, batches_of, family, label_value
from hourglass.operators.spark_batch import GIVEN_UP, BatchOperator, BatchTrigger, task_state
from hourglass.partition import Manifest
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform, Source
    from hourglass.partition import Partition


# Cancelling takes a driver seconds, and Dataproc at most a minute or two.
END_WITHIN = timedelta(minutes=10)


class RefineOperator(BatchOperator):
    """Runs the refine job of one partition and returns what became of its lines.

    The batch id names the spec (manifest and configuration): a try that finds a batch of the same spec in
    flight attaches to it, any other try starts the next one. So a retry never doubles work in flight, and
    clearing a task that had succeeded really runs it again.

    A batch of an older spec, which an earlier try left running, is cancelled, and its end awaited: of two batches
    the one that commits last decides what the tables hold.

    Args:
        source: The DAG's source.
        platform: The deployment's names.
        manifest_uri: The manifest to refine (templated).
        kwargs: Passed to the provider's operator.
    """

    template_fields = (*BatchOperator.template_fields, "manifest_uri")

    def __init__(self, *, source: Source, platform: Platform, manifest_uri: str, **kwargs: Any) -> None:
        super().__init__(
            platform=platform,
            polling_interval_seconds=3,
            heading="refine-failed",
            next_step="read the last lines of the driver output; clear this task to run the next batch",
            runbook=source.file.runbook,
            **kwargs,
        )
        self.source = source
        self.manifest_uri = manifest_uri
        self._ti: Any = None

    def execute(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Attach to the batch in flight, or start the next one; after the end of every other batch.

        Args:
            context: Airflow's template context.
            event: How a batch ended that had to end first; there may be more of them.
        """
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
        chosen, attached = family(self.source, partition, spec).choose(batches)
        self._end_others(batches, partition, spare=chosen if attached else "")
        self.batch_id = chosen
        self.log.info("%s batch %s", "Attaching to" if attached else "Starting", self.batch_id)
        if not attached:
            self._batch(partition).write_spec(storage, spec)
        self.batch = self._batch(partition).resource(storage)
        # A batch whose creation was done and its answer lost is found by its id, and attached to.
        bounds = patiently(f"Dataproc for batch {self.batch_id}")
        self.retry, self.timeout = bounds["retry"], bounds["timeout"]
        super().execute(context)
        return self._outcome(partition)

    def _end_others(self, batches: list[Any], partition: Partition, spare: str) -> None:
        """Cancel the partition's other batches, and defer until one of them has ended, as long as there is any."""
        project, region = self.platform.project, self.platform.region
        prefix = batches_of(self.source, partition)
        others = cancel_unended(self.hook, project, region, batches, prefix, spare)
        if not others:
            return
        self.log.warning("Cancelled %s, which could still write; waiting for its end", ", ".join(others))
        trigger = BatchTrigger(
            batch_id=others[0],
            project_id=project,
            region=region,
            gcp_conn_id=self.gcp_conn_id,
            impersonation_chain=self.impersonation_chain,
            polling_interval_seconds=self.polling_interval_seconds,
        )
        self.defer(trigger=trigger, method_name="execute", timeout=END_WITHIN)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """What Airflow calls after a trigger's event, or when there was none in time.

        Raises:
            AirflowException: A batch that was cancelled has not ended.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout as error:
            partition = partition_of(context, self.source.grain)
            raise AirflowException(
                explain(
                    f"an earlier batch of {self.source.id} {partition.key} was cancelled, and had not ended "
                    f"{END_WITHIN.total_seconds() / 60:.0f} minutes later; it could still overwrite what the next "
                    "one writes, so none was started",
                    where=f"Dataproc's batches {batches_of(self.source, partition)}… in {self.platform.region}",
                    next_step="when Dataproc says that it is CANCELLED, SUCCEEDED or FAILED, clear this task; Airflow "
                    "tries again by itself at first",
                    heading="refine-failed",
                    runbook=self.source.file.runbook,
                )
            ) from error

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> Any:
        """Check the batch's state and read its outcome."""
        self.batch_id = event["batch_id"] if event else self.batch_id
        super().execute_complete(context, event)
        return self._outcome(partition_of(context, self.source.grain))

    def handle_batch_status(
        self, context: Context, state: str, batch_id: str, state_message: str | None = None
    ) -> None:
        """Fail on every terminal state but SUCCEEDED, and for good when another try would read what is gone.

        Raises:
            AirflowFailException: Objects of the manifest have been replaced or removed since it was sensed.
            AirflowException: The batch failed otherwise.
        """
        try:
            super().handle_batch_status(context, state, batch_id, state_message)
        except AirflowException as error:
            storage = gcs.client(self.gcp_conn_id)
            gone = gcs.replaced_objects(storage, self._manifest(storage))
            if not gone:
                raise
            raise AirflowFailException(
                explain(
                    f"batch {batch_id} ended {state}: {len(gone)} objects of its manifest have been replaced or "
                    f"removed since they were sensed, first {gone[0]}",
                    where=f"manifest {self.manifest_uri}",
                    next_step="clear `sense` and downstream, which senses what is there; within the late window the "
                    "sweeper does so by itself, every 15 minutes",
                    heading="refine-failed",
                    runbook=self.source.file.runbook,
                )
            ) from error

    def on_kill(self) -> None:
        """Cancel the batch of a task that was marked failed; a cleared task's next try sees to it."""
        if self._ti is not None and self.batch_id and task_state(self._ti) in GIVEN_UP:
            self.hook.cancel(self.platform.project, self.platform.region, self.batch_id)

    def _spec(self, storage: Any, partition: Partition) -> dict[str, Any]:
        manifest = self._manifest(storage)
        lines = settled(storage, self.platform, manifest)
        return {**self.source.refine_spec(manifest, partition), **({"settled": lines} if lines else {})}

    def _manifest(self, storage: Any) -> Manifest:
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
        return Manifest.from_json(text)

    def _batch(self, partition: Partition) -> RefineBatch:
        return RefineBatch(self.source, self.platform, partition, str(self.batch_id))

    def _outcome(self, partition: Partition) -> dict[str, Any]:
        outcome = self._batch(partition).outcome(gcs.client(self.gcp_conn_id))
        self.log.info("Outcome of %s: %s", self.batch_id, outcome["counts"])
        return outcome
