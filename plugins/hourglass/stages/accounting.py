"""The gate's own check: law 1, and how much of the partition was quarantined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from hourglass.cloud import bigquery as bq
from hourglass.cloud.quarantine import reasons
from hourglass.failure import explain
from hourglass.partition import Counts, conservation_problems
from hourglass.partition.accounting import too_many_quarantined
from hourglass.run import partition_of
from hourglass.stages.build import REFINE, Build

if TYPE_CHECKING:
    from hourglass.partition import Partition

SHOWN = 5  # reasons in a message


def check_accounting(build: Build, context: Any) -> dict[str, int]:
    """Account for the partition of a run; see `account`."""
    partition = partition_of(context, build.source.grain)
    return account(build, partition, context["ti"].xcom_pull(task_ids=REFINE))


def account(build: Build, partition: Partition, refined: dict[str, Any]) -> dict[str, int]:
    """Compare the outcome's counts with each other, with the candidates, and with the source's limit.

    Args:
        build: The source and the deployment.
        partition: The partition.
        refined: What the refine task returned.

    Returns:
        The rows of both candidates.

    Raises:
        AirflowFailException: A line is missing or counted twice, or too many lines were quarantined.
    """
    rows = _candidate_rows(build, partition)
    counts = Counts.from_mapping(refined["counts"])
    problems = conservation_problems(
        counts,
        candidate_rows=rows["silver"],
        quarantine_rows=rows["quarantine"],
    )
    if problems:
        raise AirflowFailException(
            explain(
                f"conservation is broken for {build.source.id} {partition.key}; nothing was published:\n    "
                + "\n    ".join(problems),
                where=f"outcome file {refined['outcome']}",
                next_step="clear `refine` and downstream; if it fails again, keep the outcome and report it",
                heading="conservation-broken",
                runbook=build.source.file.runbook,
            )
        )
    limit = build.source.file.monitoring.quarantine
    if too_many_quarantined(counts, rate=limit.rate, rows=limit.rows):
        raise AirflowFailException(_too_many(build, partition, counts))
    return {"candidate_rows": rows["silver"], "quarantine_rows": rows["quarantine"]}


def _too_many(build: Build, partition: Partition, counts: Counts) -> str:
    source, limit = build.source, build.source.file.monitoring.quarantine
    table = bq.flows(source)["quarantine"].candidate(build.platform, source, partition)
    found = reasons(bq.client(build.platform), str(table), partition)
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


def _candidate_rows(build: Build, partition: Partition) -> dict[str, int]:
    client = bq.client(build.platform)
    names = {
        n: f.candidate(build.platform, build.source, partition) for n, f in bq.flows(build.source).items()
    }
    return {n: int(client.get_table(str(table)).num_rows or 0) for n, table in names.items()}
