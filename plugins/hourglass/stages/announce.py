"""Stage 7, announce: write the ledger, emit the asset event."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, Metadata, TaskGroup, task

from hourglass.operators.record import RecordPartitionOperator
from hourglass.run import partition_of
from hourglass.stages.build import WAIT, Build


def published_asset(build: Build) -> Asset:
    """The asset that stands for a source's published table."""
    uri = f"bigquery://{build.platform.project}/silver/{build.source.id}"
    return Asset(name=f"hourglass.{build.source.id}", uri=uri, group="hourglass")


def announce(build: Build) -> TaskGroup:
    """Build the stage.

    Args:
        build: The source and the deployment.
    """
    asset = published_asset(build)
    with TaskGroup("announce", tooltip="write the ledger, emit the asset event") as group:
        RecordPartitionOperator(
            task_id="record", trigger_rule="all_done", outcome=build.outcome, **build.kwargs()
        )

        @task(task_id="emit", outlets=[asset])
        def emit(**context: Any) -> Any:
            yield Metadata(asset, extra=event_extra(build, context))

        emit()
    return group


def event_extra(build: Build, context: Any) -> dict[str, Any]:
    """What consumers of the asset learn of the partition."""
    manifest = context["ti"].xcom_pull(task_ids=WAIT)
    refined = context["ti"].xcom_pull(task_ids=build.outcome)
    return {
        "source": build.source.id,
        "partition": partition_of(context, build.source.grain).key,
        "manifest_hash": manifest["hash"],
        "counts": refined["counts"],
        "event_dates": refined["event_dates"],
    }
