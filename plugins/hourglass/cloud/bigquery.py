"""Table resources and job configurations of the gate and the publication."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hourglass.config import Platform, Source
from hourglass.partition import Partition

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, SchemaField, Table

    from hourglass.config.owner import Owner

LABELS = {"managed_by": "hourglass"}
FLOWS = ("silver", "quarantine")


def labels(source: Owner, stage: str) -> dict[str, str]:
    """Labels of a source's tables and jobs, by which cost is attributed."""
    return {**LABELS, "source": source.id, "stage": stage}


@dataclass(frozen=True, slots=True)
class TableName:
    """A table, possibly one partition of it.

    Args:
        project: The project.
        dataset: The dataset.
        table: The table's own name, without a partition decorator.
    """

    project: str
    dataset: str
    table: str

    def reference(self, partition: Partition | None = None) -> dict[str, str]:
        """The reference that job configurations take."""
        suffix = f"${partition.decorator}" if partition else ""
        return {"projectId": self.project, "datasetId": self.dataset, "tableId": self.table + suffix}

    def __str__(self) -> str:
        return f"{self.project}.{self.dataset}.{self.table}"


@dataclass(frozen=True, slots=True)
class Flow:
    """One of the two streams of rows that a partition publishes.

    Args:
        name: `silver` or `quarantine`: the key in the outcome's files, and the dataset.
        columns: The columns of its tables.
        cluster_by: The clustering of its published table.
    """

    name: str
    columns: Sequence[dict[str, Any]]
    cluster_by: Sequence[str]

    def published(self, platform: Platform, source: Source) -> TableName:
        """The table that readers see."""
        return TableName(platform.project, self.name, source.id)

    def candidate(self, platform: Platform, source: Source, partition: Partition) -> TableName:
        """The table that nobody reads before the gate."""
        return TableName(platform.project, "candidate", f"{source.id}__{partition.stamp}__{self.name}")


def flows(source: Source) -> dict[str, Flow]:
    """The two flows of a source."""
    return {
        "silver": Flow("silver", source.columns(), source.file.serving.cluster_by),
        "quarantine": Flow("quarantine", source.quarantine_columns(), ["reason"]),
    }


def client(platform: Platform, gcp_conn_id: str = "google_cloud_default") -> Client:
    """The BigQuery client of an Airflow connection; BIGQUERY_EMULATOR_HOST redirects it."""
    from hourglass.cloud.bigquery_client import PatientHook

    hook = PatientHook(gcp_conn_id=gcp_conn_id, location=platform.location)
    return hook.get_client(project_id=platform.project, location=platform.location)


def ensure_dataset(bigquery: Client, platform: Platform, dataset: str) -> None:
    """Create a dataset unless it is there."""
    resource = {
        "datasetReference": {"projectId": platform.project, "datasetId": dataset},
        "location": platform.location,
        "labels": LABELS,
    }
    from google.cloud.bigquery import Dataset

    bigquery.create_dataset(Dataset.from_api_repr(resource), exists_ok=True)


def create_candidate(
    bigquery: Client, platform: Platform, source: Source, flow: Flow, partition: Partition
) -> Flow:
    """Create the empty candidate table anew, with schema, labels and expiry.

    It has the published table's partitioning, clustering and fields in their order, so that publishing is a copy
    of one partition, which BigQuery does without reading a byte.

    Returns:
        The flow with the candidate's columns: the published table may have some of a newer schema version.
    """
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import SchemaField, Table

    try:
        there = bigquery.get_table(str(flow.published(platform, source))).schema
    except NotFound:
        there = []
    fields = _united(there, [SchemaField.from_api_repr(c) for c in flow.columns])
    flow = replace(flow, columns=[field.to_api_repr() for field in fields])
    name = flow.candidate(platform, source, partition)
    expires = datetime.now(tz=UTC) + source.file.retention.candidate
    resource = {
        **_table_resource(name, source, flow, require_filter=False),
        "labels": {**labels(source, "gate"), "partition": partition.stamp},
        "expirationTime": str(int(expires.timestamp() * 1000)),
    }
    ensure_dataset(bigquery, platform, name.dataset)
    bigquery.delete_table(str(name), not_found_ok=True)
    bigquery.create_table(Table.from_api_repr(resource))
    return flow


def ensure_published(bigquery: Client, platform: Platform, source: Source, flow: Flow) -> Table:
    """Create the published table, or add the fields that the schema has gained.

    Returns:
        The table.
    """
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import SchemaField, Table

    name = flow.published(platform, source)
    kept_ms = str(int(source.file.retention.published.total_seconds() * 1000))
    resource = _table_resource(name, source, flow, require_filter=True)
    resource["timePartitioning"]["expirationMs"] = kept_ms
    resource["labels"] = labels(source, "publish")
    try:
        table = bigquery.get_table(str(name))
    except NotFound:
        ensure_dataset(bigquery, platform, name.dataset)
        return bigquery.create_table(Table.from_api_repr(resource), exists_ok=True)
    return widen(bigquery, table, [SchemaField.from_api_repr(c) for c in flow.columns])


def widen(bigquery: Client, table: Table, wanted: Sequence[SchemaField]) -> Table:
    """Add the fields that a table lacks, also inside of records; its rows read NULL in them.

    A candidate needs this where the published table has gained fields since it was loaded: BigQuery copies a
    partition between tables of the same fields.

    Args:
        bigquery: The client.
        table: The table.
        wanted: Fields that it shall have; it may have others.

    Returns:
        The table.
    """
    found = _united(table.schema, wanted)
    if found == list(table.schema):
        return table
    table.schema = found
    return bigquery.update_table(table, ["schema"])


def _united(there: Sequence[SchemaField], wanted: Sequence[SchemaField]) -> list[SchemaField]:
    by_name = {field.name: field for field in wanted}
    known = {field.name for field in there}
    return [
        *(_with_fields(f, by_name[f.name]) if f.name in by_name else f for f in there),
        *(f for f in wanted if f.name not in known),
    ]


def _with_fields(there: SchemaField, wanted: SchemaField) -> SchemaField:
    from google.cloud.bigquery import SchemaField

    fields = _united(there.fields, wanted.fields)
    if fields == list(there.fields):
        return there
    return SchemaField.from_api_repr({**there.to_api_repr(), "fields": [f.to_api_repr() for f in fields]})


def _table_resource(name: TableName, source: Source, flow: Flow, *, require_filter: bool) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "tableReference": name.reference(),
        "description": f"{source.file.display_name}: {flow.name} rows by the partition in which they landed",
        "schema": {"fields": list(flow.columns)},
        "timePartitioning": {"type": source.grain.partition_type, "field": "landing_hour"},
        "requirePartitionFilter": require_filter,
    }
    if flow.cluster_by:
        resource["clustering"] = {"fields": list(flow.cluster_by)}
    return resource


def load_configuration(name: TableName, source: Source, flow: Flow, uris: Sequence[str]) -> dict[str, Any]:
    """A load job of Parquet files into a candidate table.

    It truncates, so that a load that a killed worker left running can only write the same rows again.
    """
    load: dict[str, Any] = {
        "sourceUris": list(uris),
        "sourceFormat": "PARQUET",
        "parquetOptions": {"enableListInference": True},
        "destinationTable": name.reference(),
        "schema": {"fields": list(flow.columns)},
        "timePartitioning": {"type": source.grain.partition_type, "field": "landing_hour"},
        "writeDisposition": "WRITE_TRUNCATE",
        "createDisposition": "CREATE_NEVER",
    }
    if flow.cluster_by:
        load["clustering"] = {"fields": list(flow.cluster_by)}
    return {"load": load, "labels": labels(source, "gate")}


def copy_configuration(
    candidate: TableName, published: TableName, source: Source, partition: Partition
) -> dict[str, Any]:
    """A copy job that replaces exactly one partition of the published table."""
    return {
        "copy": {
            "sourceTable": candidate.reference(partition),
            "destinationTable": published.reference(partition),
            "writeDisposition": "WRITE_TRUNCATE",
            "createDisposition": "CREATE_NEVER",
        },
        "labels": labels(source, "publish"),
    }


def merge_configuration(
    candidate: TableName, published: TableName, source: Source, flow: Flow, partition: Partition
) -> dict[str, Any]:
    """A query job that replaces the rows of one partition, for partitions that share BigQuery's.

    One statement, so readers see either the old rows or the new ones. The columns are named, since the
    published table has those that its schema has gained at its end.
    """
    names = ", ".join(f"`{column['name']}`" for column in flow.columns)
    landed = f"TIMESTAMP '{partition.start:%Y-%m-%d %H:%M:%S}+00'"
    # Names that the configuration has validated; a MERGE takes no parameters for them.
    query = (
        f"MERGE `{published}` AS published USING `{candidate}` AS candidate ON FALSE "  # noqa: S608
        f"WHEN NOT MATCHED BY SOURCE AND published.landing_hour = {landed} THEN DELETE "
        f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({names})"
    )
    return {"query": {"query": query, "useLegacySql": False}, "labels": labels(source, "publish")}
