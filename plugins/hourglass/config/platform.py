"""The settings of the whole deployment, from environment variables.

Only these values and the Airflow connections differ between a laptop and Composer.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

BIGLAKE_CATALOG = "https://biglake.googleapis.com/iceberg/v1/restcatalog"


def include_folder(env: Mapping[str, str] = os.environ) -> Path:
    """The folder of sources, schemas, SQL and Spark jobs (`HOURGLASS_INCLUDE`)."""
    return Path(env.get("HOURGLASS_INCLUDE") or Path(__file__).resolve().parents[3] / "include")


def raw_bucket(env: Mapping[str, str] = os.environ) -> str:
    """The bucket of the sources that name no location (`HOURGLASS_RAW_BUCKET`)."""
    project = _project(env)
    return env.get("HOURGLASS_RAW_BUCKET") or (f"{project}-hourglass-raw" if project else "hourglass-raw")


def _project(env: Mapping[str, str]) -> str | None:
    names = ("HOURGLASS_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCP_PROJECT")
    return next((env[name] for name in names if env.get(name)), None)


@dataclass(frozen=True, slots=True)
class Platform:
    """Names of the deployment.

    Args:
        project: Google Cloud project (`HOURGLASS_PROJECT`, else `GOOGLE_CLOUD_PROJECT` or `GCP_PROJECT`).
        region: Region of Dataproc batches (`HOURGLASS_REGION`).
        location: Location of BigQuery datasets (`HOURGLASS_LOCATION`).
        ops_bucket: Bucket of manifests, specs and outcomes (`HOURGLASS_OPS_BUCKET`).
        lake_bucket: Bucket of the Iceberg warehouse (`HOURGLASS_LAKE_BUCKET`).
        iceberg_uri: The Iceberg REST catalog (`HOURGLASS_ICEBERG_URI`).
        bigtable_instance: The Bigtable instance of the feature store (`HOURGLASS_BIGTABLE_INSTANCE`).
        include: The folder of sources, schemas, SQL and Spark jobs (`HOURGLASS_INCLUDE`).
        service_account: The account that Dataproc batches run as (`HOURGLASS_DATAPROC_SERVICE_ACCOUNT`).
        subnetwork: The subnetwork of Dataproc batches (`HOURGLASS_DATAPROC_SUBNETWORK`).
    """

    project: str
    region: str
    location: str
    ops_bucket: str
    lake_bucket: str
    iceberg_uri: str
    bigtable_instance: str
    include: Path
    service_account: str | None = None
    subnetwork: str | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> Self:
        """Read the environment.

        Raises:
            ValueError: No project is set.
        """
        project = _project(env)
        if project is None:
            raise ValueError(
                "no Google Cloud project is set; set the environment variable HOURGLASS_PROJECT "
                "(on a laptop, run through `make dag` or `python -m local exec`, which set it)"
            )
        return cls(
            project=project,
            region=env.get("HOURGLASS_REGION", "us-central1"),
            location=env.get("HOURGLASS_LOCATION", "US"),
            ops_bucket=env.get("HOURGLASS_OPS_BUCKET", f"{project}-hourglass-ops"),
            lake_bucket=env.get("HOURGLASS_LAKE_BUCKET", f"{project}-hourglass-lake"),
            iceberg_uri=env.get("HOURGLASS_ICEBERG_URI", BIGLAKE_CATALOG),
            bigtable_instance=env.get("HOURGLASS_BIGTABLE_INSTANCE", "hourglass"),
            include=include_folder(env),
            service_account=env.get("HOURGLASS_DATAPROC_SERVICE_ACCOUNT"),
            subnetwork=env.get("HOURGLASS_DATAPROC_SUBNETWORK"),
        )

    def uri(self, name: str) -> str:
        """The URI of an object in the ops bucket."""
        return f"gs://{self.ops_bucket}/{name}"
