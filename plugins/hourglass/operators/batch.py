"""One refine batch: its spec, its code, its resource and its outcome, whoever runs it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hourglass.cloud import gcs
from hourglass.cloud.dataproc import Family
from hourglass.config import digest

if TYPE_CHECKING:
    from google.cloud.storage import Client

    from hourglass.config import Platform, Source
    from hourglass.partition import Partition

RUNTIME_VERSION = "2.3"
# Where the runtime keeps the reader of Avro, which is not on its class path.
AVRO_JAR = "file:///usr/lib/spark/connector/spark-avro.jar"


def label_value(source_id: str) -> str:
    """A source's id in Dataproc's batch ids and labels, which take no underscore."""
    return source_id.replace("_", "-")


def batches_of(source: Source, partition: Partition) -> str:
    """What the ids of all refine batches of a partition begin with, whatever their specs.

    Args:
        source: The source.
        partition: The partition.
    """
    return f"refine-{label_value(source.id)}-{partition.stamp}-"


def family(source: Source, partition: Partition, spec: dict[str, Any]) -> Family:
    """The batches of one spec.

    Args:
        source: The source.
        partition: The partition.
        spec: The spec without what belongs to one batch.
    """
    return Family(f"{batches_of(source, partition)}{digest(spec)[:8]}")


def resource_of(
    platform: Platform,
    files: list[str],
    arguments: list[str],
    labels: dict[str, str],
    properties: dict[str, str],
) -> dict[str, Any]:
    """A PySpark batch as Dataproc's API takes it.

    Args:
        platform: The deployment's names.
        files: The URIs of the job's files; the first is its main file.
        arguments: The job's arguments.
        labels: By which it is found.
        properties: Spark's settings.
    """
    execution: dict[str, Any] = {}
    if platform.service_account:
        execution["service_account"] = platform.service_account
    if platform.subnetwork:
        execution["subnetwork_uri"] = platform.subnetwork
    main, *others = files
    return {
        "pyspark_batch": {"main_python_file_uri": main, "python_file_uris": others, "args": arguments},
        "labels": labels,
        "runtime_config": {"version": RUNTIME_VERSION, "properties": properties},
        "environment_config": {"execution_config": execution},
    }


def upload_code(storage: Client, platform: Platform, code: dict[str, bytes]) -> list[str]:
    """Put a job's files under their own hash, so that a batch always runs the code it was made with.

    Args:
        storage: The storage client.
        platform: The deployment's names.
        code: The files by name.

    Returns:
        Their URIs, in the order given.
    """
    whole = hashlib.sha256()
    for name, content in code.items():
        whole.update(f"{name} {len(content)}\n".encode() + content)
    folder = f"spark/{whole.hexdigest()[:12]}"
    for name, content in code.items():
        gcs.create_once(storage, platform.ops_bucket, f"{folder}/{name}", content)
    return [platform.uri(f"{folder}/{name}") for name in code]


@dataclass(frozen=True, slots=True)
class RefineBatch:
    """A batch of a source's partition.

    Args:
        source: The source.
        platform: The deployment's names.
        partition: The partition.
        batch_id: The batch's id.
    """

    source: Source
    platform: Platform
    partition: Partition
    batch_id: str

    @property
    def outcome_uri(self) -> str:
        """Where the job writes what became of the lines."""
        return self.platform.uri(self._name("outcomes"))

    def write_spec(self, storage: Client, spec: dict[str, Any]) -> None:
        """Write the job's only input.

        Args:
            storage: The storage client.
            spec: The spec without what belongs to one batch.
        """
        whole = {**spec, "batch_id": self.batch_id, "outcome": self.outcome_uri}
        gcs.write(storage, self.platform.ops_bucket, self._name("specs"), json.dumps(whole, indent=1))

    def resource(self, storage: Client) -> dict[str, Any]:
        """The batch as Dataproc's API takes it; the job's code is uploaded.

        Args:
            storage: The storage client.
        """
        labels = {
            "hourglass-source": label_value(self.source.id),
            "hourglass-partition": self.partition.stamp,
            "hourglass-stage": "refine",
        }
        spec = self.platform.uri(self._name("specs"))
        files = upload_code(storage, self.platform, self._code())
        return resource_of(self.platform, files, [spec], labels, self._properties())

    def outcome(self, storage: Client) -> dict[str, Any]:
        """What later stages need of the outcome.

        Args:
            storage: The storage client.
        """
        outcome = gcs.read_json(storage, self.outcome_uri)
        # Dates that an earlier manifest of the partition had must be recomputed too, or its rows would stay.
        earlier = gcs.read_folder(storage, self.platform.ops_bucket, self._folder("outcomes"))
        dates = {d for o in earlier for d in o["event_dates"]} | set(outcome["event_dates"])
        return {
            "batch_id": self.batch_id,
            "outcome": self.outcome_uri,
            "counts": outcome["counts"],
            "reasons": outcome["reasons"],
            "unknown_fields": outcome["unknown_fields"],
            "warnings": outcome.get("warnings", {}),
            "nulled": outcome.get("nulled", {}),
            "schema_version": outcome["schema_version"],
            "event_dates": sorted(dates),
        }

    def _properties(self) -> dict[str, str]:
        jars = {"spark.jars": AVRO_JAR} if self.source.file.ingestion.format == "avro" else {}
        return {**spark_properties(self.platform), **jars}

    def _folder(self, kind: str) -> str:
        return f"{kind}/{self.source.id}/{self.partition.key}/"

    def _name(self, kind: str) -> str:
        return f"{self._folder(kind)}{self.batch_id}.json"

    def _code(self) -> dict[str, bytes]:
        folder = self.platform.include / "spark"
        files = [folder / "refine.py", *sorted(p for p in folder.glob("*.py") if p.name != "refine.py")]
        return {path.name: path.read_bytes() for path in files}


def spark_properties(platform: Platform) -> dict[str, str]:
    """The Spark properties of a refine batch: session and Iceberg catalog.

    The catalog's settings are those that Google documents for the BigLake Iceberg REST catalog.

    Args:
        platform: The deployment's names.
    """
    catalog = "spark.sql.catalog.lake"
    return {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.legacy.timeParserPolicy": "CORRECTED",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.type": "rest",
        f"{catalog}.uri": platform.iceberg_uri,
        f"{catalog}.warehouse": f"gs://{platform.lake_bucket}",
        f"{catalog}.io-impl": "org.apache.iceberg.gcp.gcs.GCSFileIO",
        f"{catalog}.header.x-goog-user-project": platform.project,
        f"{catalog}.rest.auth.type": "org.apache.iceberg.gcp.auth.GoogleAuthManager",
    }
