"""Stage 6: push one feature set's entities of a partition to Bigtable (law 4's two modes)."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import AirflowException

from hourglass.cloud import bigquery as bq
from hourglass.cloud import bigtable, gcs
from hourglass.cloud.dataproc import BatchHook
from hourglass.cloud.feature_rows import FeatureRows
from hourglass.cloud.pushes import Pushes
from hourglass.failure import explain
from hourglass.features.heads import TABLE
from hourglass.features.send import PushError
from hourglass.operators.base import CloudOperator
from hourglass.operators.push_batch import PushBatch
from hourglass.operators.push_plan import FeatureTarget, RunningPush
from hourglass.operators.spark_batch import BatchTrigger
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform
    from hourglass.config.owner import Owner
    from hourglass.config.serving import FeatureSet
    from hourglass.partition import Partition


class PushFeaturesOperator(CloudOperator):
    """Runs a feature set's query for the partition and writes its rows to Bigtable.

    In upsert mode the cells carry the partition's as-of time, so re-running an old hour never hides a newer
    value; rows that an earlier push of the same partition wrote and this one no longer has are removed. In
    snapshot mode the rows carry the push's generation, and readers see them once the pointer names it.

    Args:
        feature_set: The set, as the configuration has it.
        source: Whose partitions are pushed.
        platform: The deployment's names.
        gcp_conn_id: The Airflow connection.
        kwargs: Passed to Airflow's base class.
    """

    def __init__(
        self,
        *,
        feature_set: FeatureSet,
        source: Owner,
        platform: Platform,
        gcp_conn_id: str = "google_cloud_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.feature_set = feature_set
        self.owned_by = source  # `owner` is Airflow's
        self.platform = platform
        self.gcp_conn_id = gcp_conn_id

    def execute(self, context: Context) -> int:
        """Push.

        Returns:
            The number of entities pushed; 0 where a newer snapshot is served.
        """
        target = self._target(partition_of(context, self.owned_by.grain))
        try:
            return self._push(target)
        except (PushError, ValueError) as error:
            raise AirflowException(self._message(str(error))) from error

    def _push(self, target: FeatureTarget) -> int:
        if target.outdated():
            self.log.info("a newer snapshot of %s is served already; nothing to push", self.feature_set)
            return 0
        client = bq.client(self.platform, self.gcp_conn_id)
        rows = FeatureRows.query(
            client, self.platform, self.owned_by, self.feature_set.name, target.partition
        )
        running = target.begin(rows.types())
        if (found := rows.count) > self.feature_set.spark_above:
            self.log.info("%d rows are more than %d: pushing by Spark", found, self.feature_set.spark_above)
            self._start_batch(running, rows)
        part = count()
        pushed = running.push.write(target.table, rows.batches(), lambda e: running.record(next(part), e))
        return self._end(running, pushed)

    def _end(self, running: RunningPush, pushed: int) -> int:
        removed, end = running.end(pushed), running.target.partition.end
        self.log.info("%d entities pushed, %d removed, as of %s", pushed, removed, end)
        return pushed

    def _start_batch(self, running: RunningPush, rows: FeatureRows) -> NoReturn:
        batch = PushBatch(running.target, self.platform, running.number)
        hook = BatchHook(gcp_conn_id=self.gcp_conn_id)
        batch.cancel_earlier(hook)
        rows.export(batch.rows_uri, self.platform, self.owned_by)
        batch.write_spec(running)
        project, region = self.platform.project, self.platform.region
        resource = batch.resource(running.target.pushes.storage)
        hook.create_batch(region=region, project_id=project, batch=resource, batch_id=batch.batch_id)
        self.log.info("started batch %s", batch.batch_id)
        trigger = BatchTrigger(
            batch_id=batch.batch_id,
            project_id=project,
            region=region,
            gcp_conn_id=self.gcp_conn_id,
            polling_interval_seconds=3,
        )
        self.defer(trigger=trigger, method_name="finish", kwargs={"number": running.number})

    def finish(self, context: Context, event: dict[str, Any], number: int) -> int:
        """After the batch: make its rows the ones that readers see.

        Returns:
            The number of entities pushed.
        """
        target = self._target(partition_of(context, self.owned_by.grain))
        state = str(getattr(event["batch_state"], "name", event["batch_state"]))
        try:
            if state != "SUCCEEDED":
                message = event.get("batch_state_message") or "no message"
                raise PushError(f"batch {event['batch_id']} ended {state}: {message}")
            return self._end(*PushBatch(target, self.platform, number).finished())
        except PushError as error:
            raise AirflowException(self._message(str(error))) from error

    def _target(self, partition: Partition) -> FeatureTarget:
        found = bigtable.instance(self.platform.project, self.platform.bigtable_instance, self.gcp_conn_id)
        table = bigtable.features_table(found)
        if change := bigtable.ensure(table, self.feature_set):
            raise AirflowException(
                self._message(
                    f"family {change.family} cannot take this push: {change.reason}",
                    "run `python -m hourglass features migrate`, which says what it would remove",
                    "features-need-migration",
                )
            )
        storage = gcs.client(self.gcp_conn_id)
        pushes = Pushes(storage, self.platform.ops_bucket, self.owned_by.id, self.feature_set.name)
        return FeatureTarget(table, pushes, self.feature_set, partition)

    def _message(
        self,
        what: str,
        next_step: str = "when the cause is gone, clear this task: it writes the same cells again",
        heading: str = "features-not-pushed",
    ) -> str:
        return explain(
            what,
            where=f"Bigtable instance {self.platform.bigtable_instance}, table {TABLE}, "
            f"family {self.feature_set}",
            next_step=next_step,
            heading=heading,
            runbook=self.owned_by.runbook,
        )
