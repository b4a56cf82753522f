"""What the real service refuses before it creates a batch, in its own words where they are known."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from google.cloud.dataproc_v1.types import Batch, CreateBatchRequest

from local.dataproc.errors import invalid

_ID = r"[a-z0-9][a-z0-9\-]{2,61}[a-z0-9]"
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
_PARENT = re.compile(r"projects/(?P<project>[^/]+)/(?:regions|locations)/(?P<region>[^/]+)")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_TTL_RANGE = (timedelta(minutes=10), timedelta(days=14))
_MAX_LABELS = 32
_SUPPORTED = ("pyspark_batch", "spark_batch")


def parse_parent(parent: str) -> tuple[str, str]:
    """Split `projects/P/regions/R` (or `locations/R`, which names the same) into (P, R).

    Raises:
        ApiError: INVALID_ARGUMENT when it has another form.
    """
    match = _PARENT.fullmatch(parent)
    if match is None:
        raise invalid(f"Invalid parent '{parent}': expected projects/PROJECT/locations/REGION")
    return match["project"], match["region"]


def canonical(name: str) -> str:
    """Give the one spelling of a resource name: clients say regions and locations for the same."""
    return name.replace("/regions/", "/locations/")


def check_create(request: CreateBatchRequest, minimum_ttl: timedelta = _TTL_RANGE[0]) -> None:
    """Refuse a request that the real service would refuse.

    Args:
        request: the request as it came.
        minimum_ttl: the shortest time to live; the service's own is 10 minutes.

    Raises:
        ApiError: INVALID_ARGUMENT with a sentence saying which value is wrong.
    """
    parse_parent(request.parent)
    if request.batch_id and not re.fullmatch(_ID, request.batch_id):
        raise invalid(f"Batch ID '{request.batch_id}' must conform to pattern '{_ID}'")
    if request.request_id and not _REQUEST_ID.fullmatch(request.request_id):
        raise invalid(f"Request ID '{request.request_id}' must conform to pattern '{_REQUEST_ID.pattern}'")
    _check_labels(dict(request.batch.labels))
    _check_workload(request.batch)
    _check_execution(request.batch, minimum_ttl)


def workload_kind(batch: Batch) -> str:
    """Name the kind of workload that is set: pyspark_batch, spark_batch…, or an empty string."""
    return Batch.pb(batch).WhichOneof("batch_config") or ""


def _check_labels(labels: dict[str, str]) -> None:
    if len(labels) > _MAX_LABELS:
        raise invalid(f"No more than {_MAX_LABELS} labels can be associated with a batch, got {len(labels)}.")
    for key, value in labels.items():
        for text in (key, value) if value else (key,):
            if not _LABEL.fullmatch(text):
                raise invalid(
                    f'Not a valid value: "{text}". Only lowercase letters, numbers, and dashes are allowed. '
                    "The value must start with lowercase letter or number and end with a lowercase letter or "
                    "number."
                )


def _check_workload(batch: Batch) -> None:
    kind = workload_kind(batch)
    if not kind:
        raise invalid("Batch must specify one of: pyspark_batch, spark_batch, spark_r_batch, spark_sql_batch")
    if kind not in _SUPPORTED:
        raise invalid(
            f"The local Dataproc runs {' and '.join(_SUPPORTED)}, not {kind}: it has no runtime for it."
        )
    if kind == "pyspark_batch":
        main = batch.pyspark_batch.main_python_file_uri
        if not main.endswith(".py"):
            raise invalid(f"main_python_file_uri must be a .py file, got '{main}'")
    elif not (batch.spark_batch.main_jar_file_uri or batch.spark_batch.main_class):
        raise invalid("spark_batch must specify main_jar_file_uri or main_class")


def _check_execution(batch: Batch, minimum_ttl: timedelta) -> None:
    execution: Any = batch.environment_config.execution_config  # proto-plus: its stubs name the wire types
    longest = _TTL_RANGE[1]
    if execution.ttl and not minimum_ttl <= execution.ttl <= longest:
        raise invalid(
            f"Invalid ttl {execution.ttl.total_seconds():.0f}s: it must be between "
            f"{minimum_ttl.total_seconds():.0f}s and {longest.total_seconds():.0f}s"
        )
    if execution.idle_ttl:
        raise invalid("idle_ttl cannot be set on a batch workload; it applies to sessions only")
    if execution.staging_bucket.startswith("gs://"):
        raise invalid(f"staging_bucket must be a bucket name, not a URI: '{execution.staging_bucket}'")
