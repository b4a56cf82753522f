"""Stage 3, gate: load the hour as candidates, check the accounting and the expectations."""

from __future__ import annotations

from airflow.sdk import TaskGroup

from hourglass.cloud import bigquery as bq
from hourglass.operators.account import AccountOperator
from hourglass.operators.account_export import AccountExportOperator
from hourglass.operators.candidate import LoadCandidateOperator
from hourglass.operators.expectations import ValidateCandidateOperator
from hourglass.operators.tasks import REFINE
from hourglass.stages.build import Build

# Empty while refine runs again, or has failed, so that it is the load that says what to do.
OUTCOME_URI = f"{{{{ (ti.xcom_pull(task_ids='{REFINE}') or {{}}).get('outcome', '') }}}}"


def gate(build: Build) -> TaskGroup:
    """Build the stage.

    Args:
        build: The source and the deployment.
    """
    if build.exported:
        return _export_gate(build)
    with TaskGroup("gate", tooltip="load candidates, check the accounting and the expectations") as group:
        loads = [
            LoadCandidateOperator(
                task_id=f"load_{flow}", flow=flow, outcome_uri=OUTCOME_URI, **build.kwargs()
            )
            for flow in bq.FLOWS
        ]
        loads >> AccountOperator(task_id="account", retries=0, **build.kwargs())
        # The quarantine too: what was refused tells how the schema has drifted.
        loads >> ValidateCandidateOperator(task_id="validate", **build.kwargs())
    return group


def _export_gate(build: Build) -> TaskGroup:
    """The gate of a table that stays where it is: nothing to load, the same expectations."""
    with TaskGroup("gate", tooltip="check the table's columns and the expectations") as group:
        account = AccountExportOperator(task_id="account", retries=0, **build.kwargs())
        account >> ValidateCandidateOperator(task_id="validate", **build.kwargs())
    return group
