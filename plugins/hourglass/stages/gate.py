"""Stage 3, gate: load the hour as candidates, check the accounting and the expectations."""

from __future__ import annotations

from typing import Any

from airflow.sdk import TaskGroup, task
from airflow.sdk.exceptions import AirflowFailException

from hourglass.cloud import bigquery as bq
from hourglass.cloud.export import describe, exported_table
from hourglass.failure import explain
from hourglass.ingest.export import ExportManifest, coverage_problems
from hourglass.operators.candidate import LoadCandidateOperator
from hourglass.operators.expectations import ValidateCandidateOperator
from hourglass.run import partition_of
from hourglass.stages.accounting import check_accounting
from hourglass.stages.build import REFINE, WAIT, Build


def gate(build: Build) -> TaskGroup:
    """Build the stage.

    Args:
        build: The source and the deployment.
    """
    if build.exported:
        return _export_gate(build)
    outcome_uri = f"{{{{ ti.xcom_pull(task_ids='{REFINE}')['outcome'] }}}}"
    with TaskGroup("gate", tooltip="load candidates, check the accounting and the expectations") as group:
        loads = [
            LoadCandidateOperator(
                task_id=f"load_{flow.name}", flow=flow, outcome_uri=outcome_uri, **build.kwargs()
            )
            for flow in bq.flows(build.source).values()
        ]

        @task(task_id="account", retries=0)
        def account(**context: Any) -> dict[str, int]:
            return check_accounting(build, context)

        loads >> account()
        loads[0] >> ValidateCandidateOperator(task_id="validate", **build.kwargs())
    return group


def _export_gate(build: Build) -> TaskGroup:
    """The gate of a table that stays where it is: nothing to load, the same expectations."""
    with TaskGroup("gate", tooltip="check the table's columns and the expectations") as group:

        @task(task_id="account", retries=0)
        def account(**context: Any) -> dict[str, Any]:
            return check_export(build, context)

        account() >> ValidateCandidateOperator(task_id="validate", **build.kwargs())
    return group


def check_export(build: Build, context: Any) -> dict[str, Any]:
    """Check that an exported table is still the one that was sensed, and has the schema file's columns.

    Args:
        build: The source and the deployment.
        context: Airflow's template context.

    Returns:
        What the refine task would: every row of the table is a line and silver.

    Raises:
        AirflowFailException: The table has changed, or lacks a column.
    """
    source = build.source
    partition = partition_of(context, source.grain)
    table = str(exported_table(source, build.platform, partition))
    client = bq.client(build.platform)
    found = describe(client, table)
    sensed = context["ti"].xcom_pull(task_ids=WAIT)
    if found is None or ExportManifest(source.id, partition.key, found).hash != sensed["hash"]:
        raise AirflowFailException(
            explain(
                f"{table} has changed since it was sensed",
                where=f"manifest {sensed['uri']}",
                next_step="clear `sense` and downstream, which takes the table as it is now",
                heading="export-changed",
                runbook=source.file.runbook,
            )
        )
    columns = [field.to_api_repr() for field in client.get_table(table).schema]
    problems = coverage_problems(source.schema.fields, columns)
    if problems:
        raise AirflowFailException(
            explain(
                f"{table} does not have the columns of the schema file:\n    " + "\n    ".join(problems),
                where=f"{table}, include/{source.file.schema_.file}",
                next_step="write a new version of the schema file, name it in the source's YAML, clear `gate`",
                heading="export-not-covered",
                runbook=source.file.runbook,
            )
        )
    counts = {"lines": found.rows, "silver": found.rows, "quarantined": 0, "duplicates": 0}
    return {
        "candidate_rows": found.rows,
        "counts": counts,
        "event_dates": [f"{partition.start:%Y-%m-%d}"],
        "schema_version": source.schema.version,
    }
