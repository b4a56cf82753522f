"""A feature set's query on BigQuery: its rows as Arrow batches, page by page, or exported for a Spark job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hourglass.cloud import bigquery as bq
from hourglass.features.wire import ENTITY
from hourglass.partition.features import FeatureType

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud.bigquery import Client, QueryJob, SchemaField

    from hourglass.config import Platform
    from hourglass.config.owner import Owner
    from hourglass.partition import Partition

PAGE_ROWS = 10_000


@dataclass(frozen=True)
class FeatureRows:
    """The result of a feature set's query for one partition.

    Args:
        client: The BigQuery client.
        job: The query's job, which has ended.
    """

    client: Client
    job: QueryJob

    @classmethod
    def query(cls, client: Client, platform: Platform, source: Owner, name: str, partition: Partition) -> Any:
        """Run include/sql/features/NAME.sql for a partition.

        Raises:
            ValueError: The query has no column `entity`.
        """
        from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

        path = platform.include / "sql" / "features" / f"{name}.sql"
        # Of this partition's rows alone, so that the order in which hours run never shows in the features.
        parameters = [ScalarQueryParameter("landing_hour", "TIMESTAMP", partition.start)]
        config = QueryJobConfig(query_parameters=parameters, labels=bq.labels(source, "serve"))
        job = client.query(path.read_text("utf-8"), job_config=config)
        job.result(max_results=0)
        rows = cls(client, job)
        if ENTITY not in {f.name for f in rows._schema}:
            raise ValueError(f"the query of feature set {name} has no column {ENTITY!r}")
        return rows

    @property
    def _schema(self) -> list[SchemaField]:
        return list(self.client.get_table(self.job.destination).schema)

    @property
    def count(self) -> int:
        """The number of rows."""
        return int(self.client.get_table(self.job.destination).num_rows or 0)

    def types(self) -> dict[str, FeatureType]:
        """The features' BigQuery types, in the order of the columns."""
        return {f.name: feature_type(f) for f in self._schema if f.name != ENTITY}

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, a page at a time."""
        found: Iterator[pa.RecordBatch] = self.job.result(page_size=PAGE_ROWS).to_arrow_iterable()
        return found

    def export(self, folder: str, platform: Platform, source: Owner) -> None:
        """Write the rows as Parquet files into a folder of GCS.

        Args:
            folder: `gs://bucket/prefix/`.
            platform: The deployment's names.
            source: The DAG's source, for the labels.
        """
        from google.cloud.bigquery import ExtractJobConfig

        config = ExtractJobConfig(destination_format="PARQUET", labels=bq.labels(source, "serve"))
        job = self.client.extract_table(
            self.job.destination, f"{folder}*.parquet", location=platform.location, job_config=config
        )
        job.result()


def feature_type(field: SchemaField) -> FeatureType:
    """A column's type as a set's head keeps it."""
    kind: FeatureType = (
        {f.name: feature_type(f) for f in field.fields}
        if field.field_type in ("RECORD", "STRUCT")
        else field.field_type
    )
    return [kind] if field.mode == "REPEATED" else kind
