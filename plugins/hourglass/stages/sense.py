"""Stage 1, sense: wait until the partition is complete; freeze the list of its objects."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import BaseOperator, TaskGroup

from hourglass.operators.admit import AdmitOperator
from hourglass.operators.poll_api import PollApi
from hourglass.operators.sense import WaitForPartition
from hourglass.operators.transfer import TransferPartition
from hourglass.stages.build import Build

# The patterns whose objects a task of ours lands.
_LANDINGS: dict[str, type[PollApi | TransferPartition]] = {
    "streaming_api": PollApi,
    "cloud_transfer": TransferPartition,
}


def sense(build: Build) -> TaskGroup:
    """Build the stage.

    Args:
        build: The source and the deployment.
    """
    with TaskGroup("sense", tooltip="wait until the partition is complete, freeze its objects") as group:
        ingestion = build.source.file.ingestion
        last: BaseOperator = AdmitOperator(
            task_id="admit",
            grain=build.source.grain,
            first=datetime.combine(ingestion.start_date, datetime.min.time(), tzinfo=UTC),
            set_in=f"include/sources/{build.source.id}.yaml, ingestion.start_date",
        )
        if ingestion.lands_itself:
            land = _LANDINGS[ingestion.pattern](task_id="land", **build.kwargs())
            last >> land
            last = land
        last >> WaitForPartition(task_id="wait", **build.kwargs())
    return group
