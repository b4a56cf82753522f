"""Storage Transfer Service: an endpoint setting that the provider lacks, and one job a partition.

The provider's operators of this service import its Amazon package even where no code of it runs, and a job
there never attaches to its own operation in flight; so only its hook is used.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from airflow.providers.google.cloud.hooks.cloud_storage_transfer_service import CloudDataTransferServiceHook

from hourglass.config import path_template

if TYPE_CHECKING:
    from google.api_core.client_options import ClientOptions

    from hourglass.config import Platform, Source
    from hourglass.partition import Partition

LIVE_STATES = ("QUEUED", "IN_PROGRESS", "PAUSED", "SUSPENDING")


class TransferHook(CloudDataTransferServiceHook):
    """The provider's hook with an endpoint setting."""

    def get_client_options(self, api_endpoint_override: str | None = None) -> ClientOptions:
        """The client's options."""
        endpoint = api_endpoint_override or os.environ.get("STORAGETRANSFER_EMULATOR_HOST")
        return super().get_client_options(endpoint)

    def start(self, job: dict[str, Any]) -> tuple[str, bool]:
        """Attach to the job's operation in flight, or run the job, which is created unless it is there.

        Args:
            job: The job's resource.

        Returns:
            The operation's name, and whether it was in flight already.
        """
        self.create_transfer_job(body=job)
        condition = {"project_id": job["projectId"], "job_names": [job["name"]]}
        live = [
            o["name"]
            for o in self.list_transfer_operations(request_filter=condition)
            if o["metadata"]["status"] in LIVE_STATES
        ]
        if live:
            return live[0], True
        started = self.run_transfer_job(job_name=job["name"], project_id=job["projectId"])
        return str(started["name"]), False

    def look(self, operation: str) -> dict[str, Any]:
        """Status, counters and errors of an operation."""
        metadata: dict[str, Any] = self.get_transfer_operation(operation)["metadata"]
        return {
            "operation": operation,
            "status": metadata["status"],
            "counters": metadata.get("counters", {}),
            "errors": metadata.get("errorBreakdowns", []),
        }


def credentials_of(connection: Any) -> dict[str, Any] | None:
    """How the service signs its requests to S3: a role of an Airflow connection, else its access key.

    Args:
        connection: The Airflow connection, of type aws.
    """
    if role := connection.extra_dejson.get("role_arn"):
        return {"roleArn": role}
    if connection.login and connection.password:
        return {"awsAccessKey": {"accessKeyId": connection.login, "secretAccessKey": connection.password}}
    return None


def transfer_job(
    source: Source, platform: Platform, partition: Partition, credentials: dict[str, Any]
) -> dict[str, Any]:
    """The job that copies one partition.

    It copies the partition's own folder where the source's path has tokens of the clock, else the objects
    modified within its interval. The name is a function of the job, so that a retry finds its operation, and
    another configuration is another job.

    Args:
        source: The source, of pattern cloud_transfer.
        platform: The deployment's names.
        partition: The partition.
        credentials: From `credentials_of`.
    """
    ingestion: Any = source.file.ingestion
    bucket, (prefix,) = source.prefixes(partition)
    path = path_template.render(ingestion.source_path, partition)
    spec: dict[str, Any] = {
        "awsS3DataSource": {
            "bucketName": ingestion.source_bucket,
            "path": path if path.endswith("/") or not path else f"{path}/",
        },
        "gcsDataSink": {"bucketName": bucket, "path": prefix},
        "transferOptions": {"overwriteWhen": "DIFFERENT"},
    }
    if path == ingestion.source_path:
        spec["objectConditions"] = {
            "lastModifiedSince": f"{partition.start:%Y-%m-%dT%H:%M:%SZ}",
            "lastModifiedBefore": f"{partition.end:%Y-%m-%dT%H:%M:%SZ}",
        }
    who = credentials.get("roleArn") or credentials["awsAccessKey"]["accessKeyId"]
    content = hashlib.sha256(json.dumps([spec, who], sort_keys=True).encode()).hexdigest()[:8]
    spec["awsS3DataSource"] |= credentials
    return {
        "name": f"transferJobs/hourglass-{source.id.replace('_', '-')}-{partition.stamp}-{content}",
        "description": f"{source.file.display_name}, partition {partition.key}",
        "projectId": platform.project,
        "status": "ENABLED",
        "transferSpec": spec,
    }
