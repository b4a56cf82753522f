"""The gate's own check: law 1, and how much of the partition was quarantined."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs
from hourglass.cloud.quarantine import Quarantine, Reason
from hourglass.cloud.quarantine_actions import Actions
from hourglass.failure import explain
from hourglass.operators.base import SourceOperator
from hourglass.operators.handover import candidate_table, hand_on, handed_on, in_step, no_outcome
from hourglass.operators.tasks import LOADS, REFINE, ROWS
from hourglass.partition import Counts, Manifest, conservation_problems
from hourglass.partition.accounting import too_many_quarantined
from hourglass.partition.manifest import manifest_name
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
        if refined is None:
            raise no_outcome(self.source, partition)
        in_step(self.source, partition, {REFINE: refined["outcome"], **handed_on(context, *LOADS)})
        rows = account(self.source, self.platform, partition, refined)
        hand_on(context, refined["outcome"])
        return rows


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
        AirflowFailException: A line is missing or counted twice, too many lines were quarantined, or a candidate is
            gone.
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
        found = _undecided(source, platform, partition, refined)
        counts = replace(counts, quarantined=sum(reason.rows for reason in found))
        if too_many_quarantined(counts, rate=limit.rate, rows=limit.rows):
            raise AirflowFailException(_too_many(source, platform, partition, counts, found))
    return {ROWS[flow]: rows[flow] for flow in bq.FLOWS}


def _undecided(
    source: Source, platform: Platform, partition: Partition, refined: dict[str, Any]
) -> list[Reason]:
    """The reasons of the quarantined lines that were neither replayed nor discarded."""
    storage = gcs.client()
    digest = gcs.read_json(storage, refined["outcome"])["manifest_hash"]
    text = gcs.read_text(storage, platform.ops_bucket, manifest_name(source.id, partition.key, digest))
    generations = Manifest.from_json(text).generations() if text else {}
    actions = Actions(bq.client(platform), platform, source, partition)
    table = bq.flows(source)["quarantine"].candidate(platform, source, partition)
    return Quarantine(actions, str(table), actions.in_force(generations, generations)).open_reasons()


def _too_many(
    source: Source, platform: Platform, partition: Partition, counts: Counts, found: list[Reason]
) -> str:
    limit = source.file.monitoring.quarantine
    table = bq.flows(source)["quarantine"].candidate(platform, source, partition)
    command = f"python -m hourglass quarantine {{}} {source.id} {partition.key}"
    listed = [str(reason) for reason in found[:SHOWN]]
    if len(found) > SHOWN:
        listed.append(f"and {len(found) - SHOWN} more reasons")
    return explain(
        f"{counts.quarantined} of {counts.lines} lines of {source.id} {partition.key} are quarantined, "
        f"{counts.quarantined / counts.lines:.1%}; at most {limit.rows} lines or {limit.rate:.1%} may be. Nothing "
        "was published:\n    " + "\n    ".join(listed),
        where=f"table {table}",
        next_step=f"look at the lines: {command.format('show')}\n    then have the producer replace the files, or "
        "correct the rule or the schema and clear `refine` and downstream,\n    or repair the lines: "
        f"{command.format('replay')} --set FIELD=SQL\n    or publish without them: {command.format('discard')} "
        "--why WHY",
        heading="quarantine-over-limit",
        runbook=source.file.runbook,
    )


def _candidate_rows(source: Source, platform: Platform, partition: Partition) -> dict[str, int]:
    client = bq.client(platform)
    names = {n: f.candidate(platform, source, partition) for n, f in bq.flows(source).items()}
    tables = {n: candidate_table(client, source, partition, name) for n, name in names.items()}
    return {n: int(table.num_rows or 0) for n, table in tables.items()}
