"""Stage 2, refine: a Dataproc Serverless batch turns bronze lines into silver rows."""

from __future__ import annotations

from airflow.sdk import TaskGroup

from hourglass.operators.refine import RefineOperator
from hourglass.operators.tasks import WAIT
from hourglass.stages.build import Build


def refine(build: Build) -> TaskGroup:
    """Build the stage.

    Args:
        build: The source and the deployment.
    """
    with TaskGroup("refine", tooltip="parse, validate, quarantine, deduplicate, enrich") as group:
        RefineOperator(
            task_id="run",
            manifest_uri=f"{{{{ ti.xcom_pull(task_ids='{WAIT}')['uri'] }}}}",
            **build.kwargs(),
        )
    return group
