"""What is published takes its partition's place, of less than an hour too, and is what the gate has seen."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from google.cloud import bigquery

from hourglass.cloud import bigquery as bq
from hourglass.config import Platform, Source, load_source
from hourglass.operators.account import AccountOperator
from hourglass.operators.candidate import LoadCandidateOperator
from hourglass.operators.expectations import ValidateCandidateOperator
from hourglass.operators.publish import PublishPartitionOperator
from hourglass.operators.tasks import ACCOUNT, LOADS, REFINE, VALIDATE
from hourglass.partition import Grain, Partition
from hourglass.stages.gate import OUTCOME_URI

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
YAML = """\
source_id: quarters
display_name: Quarters of an hour
description: One row a reading.
ingestion:
  pattern: batch_file
  location: gs://hourglass-raw/quarters/
  path_template: hive
  schedule: "*/15 * * * *"
schema:
  file: schemas/quarters.json
"""
FIELDS = [{"name": "id", "type": "STRING"}, {"name": "at", "type": "TIMESTAMP"}]


def source_of(include: Path, fields: list[dict[str, Any]], cron: str = "*/15 * * * *") -> Source:
    for folder in ("sources", "schemas"):
        (include / folder).mkdir(exist_ok=True)
    (include / "sources/quarters.yaml").write_text(YAML.replace("*/15 * * * *", cron))
    schema = {"source_id": "quarters", "version": "1.0", "fields": fields}
    (include / "schemas/quarters.json").write_text(json.dumps(schema))
    return load_source("quarters", include)


class Table:
    """The published table of the source, and candidates for it."""

    def __init__(self, client: bigquery.Client, source: Source) -> None:
        self.client, self.source = client, source
        self.platform = Platform.from_env(os.environ)
        self.flow = bq.flows(source)["silver"]
        self.published = self.flow.published(self.platform, source)

    def publish(self, key: str, ids: list[str], **more: Any) -> None:
        partition = Partition.parse(key, self.source.grain)
        bq.ensure_published(self.client, self.platform, self.source, self.flow)
        candidate = self.load(partition, ids, **more)
        if partition.grain == Grain.HOUR:
            self._copy(candidate, partition)
            return
        job = bq.merge_configuration(candidate, self.published, self.source, self.flow, partition)
        self.client.query(
            job["query"]["query"], job_config=bigquery.QueryJobConfig(labels=job["labels"])
        ).result()

    def load(self, partition: Partition, ids: list[str], **more: Any) -> bq.TableName:
        """Make the candidate anew, with some rows."""
        bq.create_candidate(self.client, self.platform, self.source, self.flow, partition)
        candidate = self.flow.candidate(self.platform, self.source, partition)
        rows = [
            {
                "id": i,
                "at": f"{partition.start:%Y-%m-%dT%H:%M:%SZ}",
                "event_date": f"{partition.start:%Y-%m-%d}",
            }
            | {"landing_hour": f"{partition.start:%Y-%m-%dT%H:%M:%SZ}", "source_line": 1, **more}
            for i in ids
        ]
        if rows:
            load = bigquery.LoadJobConfig(write_disposition="WRITE_APPEND")
            self.client.load_table_from_json(rows, str(candidate), job_config=load).result()
        return candidate

    def _copy(self, candidate: bq.TableName, partition: Partition) -> None:
        target = self.client.get_table(str(self.published))
        bq.widen(self.client, self.client.get_table(str(candidate)), target.schema)
        resource = bq.copy_configuration(candidate, self.published, self.source, partition)
        self.client.create_job(resource).result()

    def rows(self, columns: str = "id") -> list[tuple[Any, ...]]:
        query = (
            f"SELECT FORMAT_TIMESTAMP('%H:%M', landing_hour), {columns} FROM `{self.published}` "
            "WHERE landing_hour >= TIMESTAMP '2021-07-21' ORDER BY 1, 2"
        )
        return [tuple(row.values()) for row in self.client.query(query).result()]


def test_a_quarter_is_replaced_and_its_neighbours_stay(
    bigquery_client: bigquery.Client, tmp_path: Path
) -> None:
    bigquery_client.delete_table("silver.quarters", not_found_ok=True)
    table = Table(bigquery_client, source_of(tmp_path, FIELDS))
    table.publish("2021-07-21T06:00", ["a", "b"])
    table.publish("2021-07-21T06:15", ["c"])
    table.publish("2021-07-21T07:00", ["d"])
    assert table.rows() == [("06:00", "a"), ("06:00", "b"), ("06:15", "c"), ("07:00", "d")]
    table.publish("2021-07-21T06:00", ["b", "e"])
    table.publish("2021-07-21T06:00", ["b", "e"])
    assert table.rows() == [("06:00", "b"), ("06:00", "e"), ("06:15", "c"), ("07:00", "d")]
    table.publish("2021-07-21T06:00", [])
    assert table.rows() == [("06:15", "c"), ("07:00", "d")]


def test_a_column_that_the_schema_has_gained_is_merged_by_its_name(
    bigquery_client: bigquery.Client, tmp_path: Path
) -> None:
    bigquery_client.delete_table("silver.quarters", not_found_ok=True)
    Table(bigquery_client, source_of(tmp_path, FIELDS)).publish("2021-07-21T06:00", ["a"])
    table = Table(bigquery_client, source_of(tmp_path, [{"name": "unit", "type": "STRING"}, *FIELDS]))
    table.publish("2021-07-21T06:15", ["b"], unit="kg")
    assert table.rows("id, unit") == [("06:00", "a", None), ("06:15", "b", "kg")]


def test_an_older_version_is_published_beside_a_newer_one(
    bigquery_client: bigquery.Client, tmp_path: Path
) -> None:
    """Whatever the order in which a schema's versions are configured: fields come, also inside of records, and stay."""
    bigquery_client.delete_table("silver.quarters", not_found_ok=True)

    def place(*names: str) -> dict[str, Any]:
        return {
            "name": "place",
            "type": "RECORD",
            "fields": [{"name": name, "type": "STRING"} for name in names],
        }

    def at(hour: int, fields: list[dict[str, Any]], **more: Any) -> Table:
        table = Table(bigquery_client, source_of(tmp_path, fields, "0 * * * *"))
        table.publish(f"2021-07-21T{hour:02}", [f"h{hour}"], **more)
        return table

    older = [*FIELDS, place("city")]
    newer = [{"name": "unit", "type": "STRING"}, *FIELDS, place("country", "city")]
    at(6, older, place={"city": "Bonn"})
    at(7, newer, place={"city": "Lyon", "country": "FR"}, unit="kg")
    at(8, older, place={"city": "Turin"})
    table = at(7, older, place={"city": "Lyon"})
    assert table.rows("id, unit, place.city, place.country") == [
        ("06:00", "h6", None, "Bonn", None),
        ("07:00", "h7", None, "Lyon", None),
        ("08:00", "h8", None, "Turin", None),
    ]
    at(6, newer, place={"city": "Bonn", "country": "DE"}, unit="g")
    assert table.rows("id, unit, place.country")[0] == ("06:00", "h6", "g", "DE")


class Publishing(PublishPartitionOperator):
    """The task, with something that happens while its job runs."""

    meanwhile: Callable[[], object]

    def _submit_job(self, hook: Any, job_id: str) -> Any:
        job = super()._submit_job(hook, job_id)
        self.meanwhile()
        return job


class Run:
    """The run of a partition in which the gate has passed; its publish tasks run against the local BigQuery."""

    def __init__(self, table: Table, key: str, counted: int) -> None:
        self.table, self.partition = table, Partition.parse(key, table.source.grain)
        outcome = {(task, "outcome"): "gs://ops/outcomes/x-0001" for task in (*LOADS, ACCOUNT, VALIDATE)}
        self.xcoms: dict[tuple[str, str], Any] = {
            **outcome,
            (ACCOUNT, "return_value"): {"candidate_rows": counted, "quarantine_rows": 0},
        }

    def context(self, task: str) -> Any:
        ti = SimpleNamespace(
            xcom_push=lambda key, value: self.xcoms.update({(task, key): value}),
            xcom_pull=lambda task_ids, key="return_value": self.xcoms.get((task_ids, key)),
            try_number=1, task_id=task, dag_id="quarters", run_id="test",
        )  # fmt: skip
        run = SimpleNamespace(logical_date=self.partition.start, start_date=self.partition.end, run_id="test")
        return {"ti": ti, "task_instance": ti, "dag_run": run, "params": {}}

    def publish(self, flow: str = "silver", meanwhile: Callable[[], object] = lambda: None) -> Publishing:
        """Run the task; something may happen while its job runs."""
        task = Publishing(
            task_id=f"publish.{flow}", flow=flow, source=self.table.source, platform=self.table.platform
        )
        task.meanwhile = meanwhile
        try:
            task.execute(self.context(task.task_id))
        except TaskDeferred:  # the job had not ended at the first look
            self.resume(task)
        return task

    def resume(self, task: Publishing) -> None:
        """What Airflow does when the trigger has seen the job's end."""
        job: Any = self.table.client.get_job(task.job_id, location=self.table.platform.location)
        job.result()
        event = {"status": "success", "job_id": task.job_id, "message": "done"}
        task.resume_execution("execute_complete", {"event": event}, self.context(task.task_id))

    def handed_on(self, flow: str = "silver") -> bool:
        return (f"publish.{flow}", "outcome") in self.xcoms

    def account(self) -> Any:
        task = AccountOperator(task_id=ACCOUNT, source=self.table.source, platform=self.table.platform)
        return task.execute(self.context(ACCOUNT))

    def load_again(self) -> Any:
        """As a person does who clears the load alone: its table is made anew, and is empty until its job ends."""
        return self.table.load(self.partition, [])

    def validate(self) -> Any:
        task = ValidateCandidateOperator(
            task_id=VALIDATE, source=self.table.source, platform=self.table.platform
        )
        return task.execute(self.context(VALIDATE))


@pytest.fixture(params=["0 * * * *", "*/15 * * * *"], ids=["hour", "quarter"])
def run(request: pytest.FixtureRequest, bigquery_client: bigquery.Client, tmp_path: Path) -> Run:
    """A partition with two rows that readers see, and its candidate."""
    bigquery_client.delete_table("silver.quarters", not_found_ok=True)
    table = Table(bigquery_client, source_of(tmp_path, FIELDS, request.param))
    key = "2021-07-21T06" if table.source.grain == Grain.HOUR else "2021-07-21T06:00"
    table.publish(key, ["a", "b"])
    return Run(table, key, counted=2)


def out_of_step(task: Callable[[], object]) -> str:
    """The message with which a task fails for good."""
    with pytest.raises(
        AirflowFailException, match=r"^the tasks of quarters 2021-07-21T06\S* are out of step"
    ) as raised:
        task()
    message = str(raised.value)
    assert message.endswith("docs/runbook.md#tasks-out-of-step")
    return message


BEFORE = [("06:00", "a"), ("06:00", "b")]


def test_what_the_gate_has_counted_is_published(run: Run) -> None:
    run.table.load(run.partition, ["b", "c"])
    run.publish()
    assert run.table.rows() == [("06:00", "b"), ("06:00", "c")]
    assert run.handed_on()


def test_a_partition_that_the_gate_has_seen_empty_is_emptied(run: Run) -> None:
    run.load_again()
    run.xcoms[ACCOUNT, "return_value"]["candidate_rows"] = 0
    run.publish()
    assert run.table.rows() == []
    assert run.handed_on()


def test_the_quarantine_is_measured_by_its_own_count(run: Run) -> None:
    flow = bq.flows(run.table.source)["quarantine"]
    bq.create_candidate(run.table.client, run.table.platform, run.table.source, flow, run.partition)
    run.publish("quarantine")
    assert run.handed_on("quarantine")
    run.xcoms[ACCOUNT, "return_value"]["quarantine_rows"] = 1
    assert "has 0 rows, gate.account has counted 1" in out_of_step(lambda: run.publish("quarantine"))


@pytest.mark.parametrize("ids", [[], ["a"], ["a", "b", "c"]], ids=len)
def test_a_candidate_that_the_gate_has_not_counted_is_not_published(run: Run, ids: list[str]) -> None:
    """The load was cleared alone, and makes its table anew while publish asks for it."""
    run.table.load(run.partition, ids)
    message = out_of_step(run.publish)
    assert f"nothing was published: candidate {run.table.platform.project}.candidate.quarters__" in message
    assert f"has {len(ids)} rows, gate.account has counted 2" in message
    assert "next: clear `gate` and downstream" in message
    assert run.table.rows() == BEFORE
    assert not run.handed_on()


@pytest.mark.parametrize("deferred", [False, True])
def test_a_candidate_that_is_made_anew_while_it_is_copied_is_told_of(run: Run, deferred: bool) -> None:
    if deferred:
        task = run.publish()
        run.resume(task)
        del run.xcoms["publish.silver", "outcome"]
        run.load_again()
        message = out_of_step(lambda: run.resume(task))
    else:
        message = out_of_step(lambda: run.publish(meanwhile=run.load_again))
    assert "was made anew while it was published" in message
    assert "nothing was published" not in message
    assert not run.handed_on()


@pytest.mark.parametrize("task", ["publish", "account", "validate"])
def test_a_candidate_that_has_expired_is_loaded_again(run: Run, task: str) -> None:
    candidate = run.table.flow.candidate(run.table.platform, run.table.source, run.partition)
    run.table.client.delete_table(str(candidate))
    run.xcoms[REFINE, "return_value"] = {"outcome": "gs://ops/outcomes/x-0001", "counts": {}}
    message = out_of_step(getattr(run, task))
    assert f"candidate {candidate} is gone" in message
    assert "next: clear `gate` and downstream" in message
    assert run.table.rows() == BEFORE


def test_no_result_of_the_account_is_nothing_to_publish_by(run: Run) -> None:
    del run.xcoms[ACCOUNT, "outcome"], run.xcoms[ACCOUNT, "return_value"]
    assert "gate.account: none" in out_of_step(run.publish)


def test_no_result_of_refine_is_nothing_to_load_or_to_account_for(run: Run) -> None:
    source, platform = run.table.source, run.table.platform
    load = LoadCandidateOperator(
        task_id=LOADS[0], flow="silver", outcome_uri=OUTCOME_URI, source=source, platform=platform
    )
    load.render_template_fields(run.context(LOADS[0]))
    for task in (run.account, lambda: load.execute(run.context(LOADS[0]))):
        message = out_of_step(task)
        assert "refine.run was started again and has no result" in message
        assert "next: clear `refine` and downstream" in message
