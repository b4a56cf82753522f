"""Stage 4, publish: the candidates replace their partition of the published tables."""

from __future__ import annotations

from airflow.sdk import TaskGroup

from hourglass.cloud import bigquery as bq
from hourglass.operators.publish import PublishPartitionOperator
from hourglass.stages.build import Build


def publish(build: Build) -> TaskGroup:
    """Build the stage.

    Args:
        build: The source and the deployment.
    """
    with TaskGroup("publish", tooltip="swap the candidates into the published partition") as group:
        for flow in bq.FLOWS:
            PublishPartitionOperator(task_id=flow, flow=flow, **build.kwargs())
    return group
