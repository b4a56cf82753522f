"""Stage 1, sense: wait until the partition is complete; freeze the list of its objects."""

from __future__ import annotations

from airflow.sdk import TaskGroup

from hourglass.operators.admit import AdmitOperator
from hourglass.operators.sense import WaitForPartition
from hourglass.stages.build import Build


def sense(build: Build) -> TaskGroup:
    """Build the stage.

    Args:
        build: The source and the deployment.
    """
    with TaskGroup("sense", tooltip="wait until the partition is complete, freeze its objects") as group:
        admit = AdmitOperator(task_id="admit", source=build.source)
        wait = WaitForPartition(task_id="wait", **build.kwargs())
        admit >> wait
    return group
