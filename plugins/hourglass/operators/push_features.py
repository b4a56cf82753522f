"""Stage 6: push one feature set's entities of a partition to Bigtable (law 4's upsert mode)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException

from hourglass.cloud import bigquery as bq
from hourglass.cloud import bigtable, gcs
from hourglass.failure import explain
from hourglass.operators.base import SourceOperator
from hourglass.partition.features import PushRecord
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.partition import Partition


class PushFeaturesOperator(SourceOperator):
    """Runs a feature set's query for the partition and streams its rows to Bigtable.

    The cells carry the partition's as-of time, so re-running an old hour never hides a newer value; cells
    that an earlier push of the same partition wrote and this one no longer has are removed.

    Args:
        feature_set: The name of include/sql/features/{name}.sql, also the column family.
        kwargs: Passed to `SourceOperator`.
    """

    def __init__(
        self,
        *,
        feature_set: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.feature_set = feature_set

    def execute(self, context: Context) -> int:
        """Push.

        Returns:
            The number of entities pushed.
        """
        partition = partition_of(context, self.source.grain)
        rows = list(self._query(partition))
        storage = gcs.client(self.gcp_conn_id)
        name = f"pushes/{self.source.id}/{partition.key}/{self.feature_set}.json"
        ops = self.platform.ops_bucket
        earlier = PushRecord.from_json(gcs.read_text(storage, ops, name))
        now = PushRecord(
            frozenset(r["entity"] for r in rows), frozenset(k for r in rows[:1] for k in r if k != "entity")
        )
        gcs.write(storage, ops, name, earlier.union(now).to_json())
        instance = bigtable.instance(self.platform.project, self.platform.bigtable_instance, self.gcp_conn_id)
        bigtable.ensure_family(instance, self.feature_set)
        writer = bigtable.FeatureWriter(instance, self.feature_set, partition.as_of_ms)
        gone = sorted(earlier.entities - now.entities)
        try:
            pushed = writer.upsert(rows, stale=sorted(earlier.features - now.features))
            writer.remove(gone, sorted(earlier.features | now.features))
        except bigtable.PushError as error:
            raise AirflowException(self._message(error)) from error
        gcs.write(storage, ops, name, now.to_json())
        self.log.info("%d entities pushed, %d removed, as of %s", pushed, len(gone), partition.end)
        return pushed

    def _message(self, error: bigtable.PushError) -> str:
        return explain(
            str(error),
            where=f"Bigtable instance {self.platform.bigtable_instance}, table {bigtable.TABLE}, "
            f"family {self.feature_set}",
            next_step="when the cause is gone, clear this task: it writes the same cells again",
            heading="features-not-pushed",
            runbook=self.source.file.runbook,
        )

    def _query(self, partition: Partition) -> Iterator[Mapping[str, Any]]:
        from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

        path = self.platform.include / "sql" / "features" / f"{self.feature_set}.sql"
        # Of this partition's rows alone, so that the order in which hours run never shows in the features.
        parameters = [ScalarQueryParameter("landing_hour", "TIMESTAMP", partition.start)]
        config = QueryJobConfig(
            query_parameters=parameters,
            labels=bq.labels(self.source, "serve"),
        )
        client = bq.client(self.platform, self.gcp_conn_id)
        for row in client.query(path.read_text("utf-8"), job_config=config).result(page_size=5_000):
            yield dict(row.items())
