"""The gate's own check: law 1, and how much of the partition was quarantined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from hourglass.cloud import bigquery as bq
from hourglass.cloud.quarantine import reasons
from hourglass.failure import explain
from hourglass.operators.base import SourceOperator
from hourglass.operators.tasks import REFINE
from hourglass.partition import Counts, conservation_problems
from hourglass.partition.accounting import too_many_quarantined
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform, Source
    from hourglass.partition import Partition

SHOWN = 5  # reasons in a message


class AccountOperator(SourceOperator):
    """Accounts for the partition of a run; see `account`. Takes what `SourceOperator` takes."""

    def execute(self, context: Context) -> dict[str, int]:
        """Read what the refine task returned, and account for it."""
        partition = partition_of(context, self.source.grain)
        refined = context["ti"].xcom_pull(task_ids=REFINE)
        return account(self.source, self.platform, partition, refined)


def account(
    source: Source, platform: Platform, partition: Partition, refined: dict[str, Any]
) -> dict[str, int]:
    """Compare the outcome's counts with each other, with the candidates, and with the source's limit.

    Args:
        source: The source.
        platform: The deployment's names.
        partition: The partition.
        refined: What the refine task returned.

    Returns:
        The rows of both candidates.

    Raises:
        AirflowFailException: A line is missing or counted twice, or too many lines were quarantined.
    """
    rows = _candidate_rows(source, platform, partition)
    counts = Counts.from_mapping(refined["counts"])
    problems = conservation_problems(
        counts,
        candidate_rows=rows["silver"],
        quarantine_rows=rows["quarantine"],
    )
    if problems:
        raise AirflowFailException(
            explain(
                f"conservation is broken for {source.id} {partition.key}; nothing was published:\n    "
                + "\n    ".join(problems),
                where=f"outcome file {refined['outcome']}",
                next_step="clear `refine` and downstream; if it fails again, keep the outcome and report it",
                heading="conservation-broken",
                runbook=source.file.runbook,
            )
        )
    limit = source.file.monitoring.quarantine
    if too_many_quarantined(counts, rate=limit.rate, rows=limit.rows):
        raise AirflowFailException(_too_many(source, platform, partition, counts))
    return {"candidate_rows": rows["silver"], "quarantine_rows": rows["quarantine"]}


def _too_many(source: Source, platform: Platform, partition: Partition, counts: Counts) -> str:
    limit = source.file.monitoring.quarantine
    table = bq.flows(source)["quarantine"].candidate(platform, source, partition)
    found = reasons(bq.client(platform), str(table), partition)
    listed = [str(reason) for reason in found[:SHOWN]]
    if len(found) > SHOWN:
        listed.append(f"and {len(found) - SHOWN} more reasons")
    return explain(
        f"{counts.quarantined} of {counts.lines} lines of {source.id} {partition.key} are quarantined, "
        f"{counts.quarantined / counts.lines:.1%}; at most {limit.rows} lines or {limit.rate:.1%} may be. Nothing "
        "was published:\n    " + "\n    ".join(listed),
        where=f"table {table}",
        next_step="tell the producer, or correct the rule or the schema and clear `refine` and downstream; to "
        "publish nevertheless, raise monitoring.quarantine and clear `gate`",
        heading="quarantine-over-limit",
        runbook=source.file.runbook,
    )


def _candidate_rows(source: Source, platform: Platform, partition: Partition) -> dict[str, int]:
    client = bq.client(platform)
    names = {n: f.candidate(platform, source, partition) for n, f in bq.flows(source).items()}
    return {n: int(client.get_table(str(table)).num_rows or 0) for n, table in names.items()}
