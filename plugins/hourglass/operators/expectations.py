"""Stage 3, second half: the source's Great Expectations suite, run on the candidate table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from hourglass.cloud import bigquery as bq
from hourglass.failure import explain
from hourglass.operators.base import SourceOperator
from hourglass.operators.notify import notify
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context


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

    Takes what `SourceOperator` takes.
    """

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the suite.

        Returns:
            How many expectations were evaluated, and the findings that did not stop the partition.
        """
        partition = partition_of(context, self.source.grain)
        candidate = bq.flows(self.source)["silver"].candidate(self.platform, self.source, partition)
        suite = self.platform.include / "expectations" / f"{self.source.id}.yaml"
        if not suite.is_file():
            self.log.info("Source %s has no suite include/expectations/%s", self.source.id, suite.name)
            return {"evaluated": 0, "findings": []}
        if not bq.client(self.platform, self.gcp_conn_id).get_table(str(candidate)).num_rows:
            self.log.info("%s has no rows: nothing to validate", candidate)
            return {"evaluated": 0, "findings": []}
        evaluated, findings = validate(suite, candidate)
        for finding in findings:
            self.log.warning("%s", finding)
        critical = [f for f in findings if f.severity == "critical"]
        if critical:
            raise AirflowFailException(self._message(critical, evaluated, candidate, suite))
        if findings:
            text = "\n".join(map(str, findings))
            notify(f"{self.source.id} {partition.key}: {len(findings)} expectations not met", text, "warning")
        self.log.info("%d expectations met, %d warnings", evaluated - len(findings), len(findings))
        return {"evaluated": evaluated, "findings": [str(f) for f in findings]}

    def _message(self, critical: list[Finding], evaluated: int, candidate: bq.TableName, suite: Path) -> str:
        listed = "\n".join(f"    {finding}" for finding in critical)
        return explain(
            f"{len(critical)} of {evaluated} expectations are critical and not met; nothing was published:\n"
            + listed,
            where=f"candidate table {candidate}, suite include/expectations/{suite.name}",
            next_step="look at the candidate; fix the data or the suite, then clear `sense` and downstream",
            heading="expectations-not-met",
            runbook=self.source.file.runbook,
        )


def validate(suite_file: Path, table: bq.TableName) -> tuple[int, list[Finding]]:
    """Run one suite on one table.

    Args:
        suite_file: A YAML file with a list `expectations` of types, arguments and severities.
        table: The BigQuery table.

    Returns:
        The number of expectations evaluated, and those not met.
    """
    import great_expectations as gx
    import yaml

    entries = yaml.safe_load(suite_file.read_text("utf-8"))["expectations"]
    context = gx.get_context(mode="ephemeral")
    source = context.data_sources.add_sql(
        name="bigquery",
        connection_string=f"bigquery://{table.project}/{table.dataset}",
        create_temp_table=False,
    )
    asset = source.add_table_asset(name=table.table, table_name=table.table, schema_name=table.dataset)
    batch = asset.add_batch_definition_whole_table("whole")
    suite = gx.ExpectationSuite(name=suite_file.stem)
    for entry in entries:
        arguments = {k: v for k, v in entry.items() if k != "type"}
        suite.add_expectation(getattr(gx.expectations, entry["type"])(**arguments))
    result = batch.get_batch().validate(suite)
    findings = [_finding(r) for r in result.results if not r.success]
    return len(result.results), findings


def _finding(result: Any) -> Finding:
    config = result.expectation_config
    arguments = config.kwargs
    column = arguments.get("column") or ", ".join(arguments.get("column_list", []))
    severity = getattr(config.severity, "value", config.severity) or "critical"
    if result.exception_info and result.exception_info.get("raised_exception"):
        return Finding(f"{config.type}({column})", str(severity), result.exception_info["exception_message"])
    shown = {
        k: v
        for k, v in (result.result or {}).items()
        if k in ("observed_value", "unexpected_count", "unexpected_percent", "partial_unexpected_list") and v
    }
    return Finding(f"{config.type}({column})", str(severity), ", ".join(f"{k}={v}" for k, v in shown.items()))
