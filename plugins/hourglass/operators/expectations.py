"""Stage 3, second half: the source's Great Expectations suite, run on the candidate table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from hourglass.cloud import bigquery as bq
from hourglass.cloud.export import exported_table
from hourglass.failure import RUNBOOK, explain
from hourglass.operators.base import SourceOperator
from hourglass.operators.derived import derived_expectations
from hourglass.operators.drift import drift_notices
from hourglass.operators.faults import of_a_service
from hourglass.operators.handover import candidate_table, hand_on, handed_on
from hourglass.operators.notify import notify, receivers_of
from hourglass.operators.tasks import LOADS, REFINE
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform, Source

ROW_COUNT = "ExpectTableRowCountToBeBetween"


@dataclass(frozen=True, slots=True)
class Finding:
    """One expectation that the candidate does not meet.

    Args:
        expectation: Its type and column.
        severity: Great Expectations' own: critical, warning or info.
        detail: How much is wrong, with examples.
    """

    expectation: str
    severity: str
    detail: str

    def __str__(self) -> str:
        return f"[{self.severity}] {self.expectation}: {self.detail}"


class ValidateCandidateOperator(SourceOperator):
    """Validates the candidate; a critical finding stops the partition, any other is recorded and notified.

    The suite is include/expectations/SOURCE.yaml and what follows from the source's YAML (set-level rules, the
    usual number of rows). Row-level rules of severity warning, which refine has counted, are findings as well.
    Takes what `SourceOperator` takes.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the suite.

        Returns:
            How many expectations were evaluated, and the findings that did not stop the partition.
        """
        partition = partition_of(context, self.source.grain)
        client = bq.client(self.platform, self.gcp_conn_id)
        exported = exported_table(self.source, self.platform, partition)
        flow = bq.flows(self.source)["silver"]
        candidate = exported or flow.candidate(self.platform, self.source, partition)
        outcome = None if exported else handed_on(context, LOADS[0])[LOADS[0]]
        entries = read_suite(self.platform, self.source)
        entries += derived_expectations(client, self.platform, self.source, partition)
        table = (
            client.get_table(str(candidate))
            if exported
            else candidate_table(client, self.source, partition, candidate)
        )
        if not table.num_rows:
            entries = [e for e in entries if e["type"] == ROW_COUNT]
        evaluated, findings = validate(self.source.id, entries, candidate) if entries else (0, [])
        refined = context["ti"].xcom_pull(task_ids=REFINE) or {}
        findings += warned_rows(refined)
        drifted = drift_notices(client, self.platform, self.source, partition, refined)
        findings += [Finding("schema drift", "warning", told) for told in drifted]
        for finding in findings:
            self.log.warning("%s", finding)
        critical = [f for f in findings if f.severity == "critical"]
        if critical:
            raise AirflowFailException(self._message(critical, evaluated, candidate))
        if findings:
            title = f"{self.source.id} {partition.key}: {len(findings)} warnings at the gate"
            text = "\n".join(map(str, findings))
            if drifted:
                text += f"\nrunbook: {self.source.file.runbook or RUNBOOK}#schema-drift"
            notify(title, text, "warning", receivers_of(self.source))
        self.log.info("%d expectations evaluated, %d warnings", evaluated, len(findings))
        if not exported:
            hand_on(context, outcome)
        return {"evaluated": evaluated, "findings": [str(f) for f in findings]}

    def _message(self, critical: list[Finding], evaluated: int, candidate: bq.TableName) -> str:
        listed = "\n".join(f"    {finding}" for finding in critical)
        return explain(
            f"{len(critical)} of {evaluated} expectations are critical and not met; nothing was published:\n"
            + listed,
            where=f"candidate table {candidate}, suite include/expectations/{self.source.id}.yaml and the "
            f"rules in include/sources/{self.source.id}.yaml",
            next_step="look at the candidate; fix the data or the suite, then clear `sense` and downstream",
            heading="expectations-not-met",
            runbook=self.source.file.runbook,
        )


def read_suite(platform: Platform, source: Source) -> list[dict[str, Any]]:
    """The entries of a source's suite file; none where there is no file.

    Args:
        platform: The deployment's names.
        source: The source.
    """
    import yaml

    file = platform.include / "expectations" / f"{source.id}.yaml"
    if not file.is_file():
        return []
    entries: list[dict[str, Any]] = yaml.safe_load(file.read_text("utf-8"))["expectations"]
    return entries


def warned_rows(refined: dict[str, Any]) -> list[Finding]:
    """What refine let through and counted: rules of severity warning, and values that did not fit.

    Args:
        refined: What the refine task returned.
    """
    broken = [
        Finding(f"rule {rule}", "warning", f"{rows} rows break it and were kept")
        for rule, rows in sorted((refined.get("warnings") or {}).items())
    ]
    nulled = [
        Finding(f"field {field}", "warning", f"{rows} values do not fit the schema and became NULL")
        for field, rows in sorted((refined.get("nulled") or {}).items())
    ]
    return broken + nulled


def validate(name: str, entries: Sequence[dict[str, Any]], table: bq.TableName) -> tuple[int, list[Finding]]:
    """Run one suite on one table.

    Args:
        name: The suite's name.
        entries: Great Expectations' classes (`type`), each with its arguments and severity.
        table: The BigQuery table.

    Returns:
        The number of expectations evaluated, and those not met.

    Raises:
        AirflowException: BigQuery did not answer, or refused; so nothing is known of the rows.
    """
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    source = context.data_sources.add_sql(
        name="bigquery",
        connection_string=f"bigquery://{table.project}/{table.dataset}",
        create_temp_table=False,
    )
    asset = source.add_table_asset(name=table.table, table_name=table.table, schema_name=table.dataset)
    batch = asset.add_batch_definition_whole_table("whole")
    suite = gx.ExpectationSuite(name=name)
    for entry in entries:
        arguments = {k: v for k, v in entry.items() if k != "type"}
        suite.add_expectation(getattr(gx.expectations, entry["type"])(**arguments))
    result = batch.get_batch().validate(suite)
    for words in (text for r in result.results for text in _raised(r)):
        if of_a_service(words):
            raise AirflowException(words)
    findings = [_finding(r) for r in result.results if not r.success]
    return len(result.results), findings


def _finding(result: Any) -> Finding:
    config = result.expectation_config
    arguments = config.kwargs
    column = arguments.get("column") or ", ".join(arguments.get("column_list", []))
    severity = getattr(config.severity, "value", config.severity) or "critical"
    # Without a column the type alone says nothing: which rows are unexpected stands in the description.
    name = f"{config.type}({column})" if column else config.description or config.type
    if raised := _raised(result):
        return Finding(name, str(severity), "; ".join(raised))
    shown = {
        k: v
        for k, v in (result.result or {}).items()
        if k in ("observed_value", "unexpected_count", "unexpected_percent", "partial_unexpected_list") and v
    }
    return Finding(name, str(severity), ", ".join(f"{k}={v}" for k, v in shown.items()))


def _raised(result: Any) -> list[str]:
    """What went wrong while an expectation was evaluated: one text, or one for each of its metrics."""
    info = result.exception_info or {}
    places = [info] if "raised_exception" in info else info.values()
    return [place["exception_message"] for place in places if place.get("raised_exception")]
