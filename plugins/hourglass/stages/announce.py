"""Stage 7, announce: write the ledger, emit the asset event."""

from __future__ import annotations

from airflow.sdk import TaskGroup

from hourglass.operators.emit import EmitOperator
from hourglass.operators.record import RecordPartitionOperator
from hourglass.stages.build import Build


def announce(build: Build) -> TaskGroup:
    """Build the stage.

    Args:
        build: The source and the deployment.
    """
    with TaskGroup("announce", tooltip="write the ledger, emit the asset event") as group:
        RecordPartitionOperator(
            task_id="record", trigger_rule="all_done", outcome=build.outcome, **build.kwargs()
        )
        EmitOperator(task_id="emit", outcome=build.outcome, **build.kwargs())
    return group
