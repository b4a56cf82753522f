"""The gate's own check of a table that stays where it is: nothing was loaded, nothing to count twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from hourglass.cloud import bigquery as bq
from hourglass.cloud.export import describe, exported_table
from hourglass.failure import explain
from hourglass.ingest.export import ExportManifest, coverage_problems
from hourglass.operators.base import SourceOperator
from hourglass.operators.tasks import WAIT
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform, Source


class AccountExportOperator(SourceOperator):
    """Accounts for an exported table; see `check_export`. Takes what `SourceOperator` takes."""

    def execute(self, context: Context) -> dict[str, Any]:
        """Check the table."""
        return check_export(self.source, self.platform, context)


def check_export(source: Source, platform: Platform, context: Context) -> dict[str, Any]:
    """Check that an exported table is still the one that was sensed, and has the schema file's columns.

    Args:
        source: The source.
        platform: The deployment's names.
        context: Airflow's template context.

    Returns:
        What the refine task would: every row of the table is a line and silver.

    Raises:
        AirflowFailException: The table has changed, or lacks a column.
    """
    partition = partition_of(context, source.grain)
    table = str(exported_table(source, platform, partition))
    client = bq.client(platform)
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
