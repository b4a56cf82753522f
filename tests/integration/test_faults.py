"""Google's services limit, fail, break off, keep silent and lose answers: asked again within bounds."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred
from faulty_services import (
    CALLS,
    IMPATIENT,
    PARTITION,
    QUICK,
    SHORT,
    Call,
    context,
    faults_of,
    github,
    platform,
)
from google.cloud import bigquery

from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs, retry
from hourglass.cloud.dataproc import BatchHook, list_batches
from hourglass.cloud.retry import DependencyError
from hourglass.features import send
from hourglass.ledger.row import LedgerRow
from hourglass.ledger.store import append
from hourglass.operators.base import CloudOperator, JobOperator
from hourglass.operators.refine import RefineOperator
from hourglass.partition import Manifest
from tests.faults.proxy import FaultProxy
from tests.faults.rules import Rule

Bounds = Callable[[retry.Patience], None]
pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud", "bounds")]


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> Bounds:
    def within(patience: retry.Patience) -> None:
        monkeypatch.setattr(retry, "PATIENCE", patience)
        monkeypatch.setattr(send, "TIMEOUT_SECONDS", patience.request_s)

    within(QUICK)
    return within


@pytest.mark.parametrize(
    ("call", "fault"),
    [pytest.param(CALLS[name], fault, id=f"{name}-{fault}") for name in CALLS for fault in faults_of(name)],
)
def test_a_fault_that_passes_is_no_failure(proxy: FaultProxy, call: Call, fault: str, bounds: Bounds) -> None:
    bounds(IMPATIENT if fault == "silence" else QUICK)
    number = proxy.add(call.rule(fault))
    assert call.ask() == call.expected
    hit = [s for s in proxy.seen(call.service, call.path, call.method) if s.rule == number]
    assert len(hit) == 1
    assert not hit[0].answered or fault in ("429", "503")


@pytest.mark.parametrize("fault", ["503", "reset", "silence"])
@pytest.mark.parametrize("name", ["gcs-list", "gcs-write", "bigquery-job", "dataproc-list"])
def test_a_fault_that_stays_is_a_failure_that_says_so(
    proxy: FaultProxy, name: str, fault: str, bounds: Bounds
) -> None:
    patience = replace(SHORT, total_s=4, request_s=1.5) if fault == "silence" else SHORT
    bounds(patience)
    call = CALLS[name]
    number = proxy.add(call.rule(fault, last=0))
    started = time.monotonic()
    with pytest.raises(DependencyError) as raised:
        call.ask()
    took = time.monotonic() - started
    asked = [s for s in proxy.seen(call.service) if s.rule == number]
    tried = raised.value.attempts
    # A silent service may not even have read a try that timed out.
    assert tried == len(asked) or (fault == "silence" and tried > len(asked))
    assert len(asked) > 1
    assert took < patience.total_s + patience.request_s + 30  # without bounds it would be minutes
    assert f"asked {tried} times in" in str(raised.value)


def test_a_pause_that_is_asked_for_is_kept(proxy: FaultProxy) -> None:
    call = CALLS["gcs-list"]
    proxy.add(call.rule("429", headers={"Retry-After": "1"}))
    started = time.monotonic()
    assert call.ask() == call.expected
    assert time.monotonic() - started >= 1


class Asking(CloudOperator):
    """A task that asks."""

    def __init__(self, *, ask: Callable[[], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ask = ask

    def execute(self, context: Any) -> Any:
        return self.ask()


@pytest.mark.parametrize("name", ["gcs-read", "bigquery-job", "dataproc-list"])
def test_the_task_is_tried_again_and_its_message_says_what_was_asked(
    proxy: FaultProxy, name: str, bounds: Bounds
) -> None:
    bounds(SHORT)
    call = CALLS[name]
    proxy.add(call.rule("503", last=0))
    with pytest.raises(AirflowException) as raised:
        Asking(task_id="ask", ask=call.ask).execute(context())
    assert not isinstance(raised.value, AirflowFailException)
    message = str(raised.value)
    what = {"gcs": "GET http://", "bigquery": "POST http://", "dataproc": "Dataproc for the batches of"}[
        call.service
    ]
    assert message.startswith(f"no proper answer from {what}")
    assert " times in " in message
    assert "503" in message
    assert message.endswith("runbook: docs/runbook.md#dependency-unavailable")


@pytest.fixture
def table(bigquery_client: bigquery.Client) -> Iterator[str]:
    name = f"faults.t{uuid.uuid4().hex[:8]}"
    bigquery_client.create_dataset("faults", exists_ok=True)
    bigquery_client.query(f"CREATE TABLE {name} (n INT64)").result()
    yield name
    bigquery_client.delete_table(name)


def finished(task: JobOperator) -> None:
    """Run a task until its job is done."""
    try:
        task.execute(context())
    except TaskDeferred:
        client = bq.client(platform())
        client.get_job(task.job_id, location=platform().location).result()


def test_a_job_whose_start_got_lost_runs_once(
    proxy: FaultProxy, table: str, bigquery_client: bigquery.Client
) -> None:
    proxy.add(Rule("bigquery", "lose", method="POST", path=r"/jobs\?", body="INSERT INTO"))
    insert = {"query": {"query": f"INSERT INTO {table} VALUES (1)", "useLegacySql": False}}
    finished(JobOperator(task_id="insert", platform=platform(), configuration=insert))
    answers = [s.status for s in proxy.seen("bigquery", r"/jobs\?", "POST")]
    assert answers.count(409) == 1
    assert [tuple(r) for r in bigquery_client.query(f"SELECT n FROM {table}").result()] == [(1,)]


def test_a_batch_whose_start_got_lost_runs_once(proxy: FaultProxy) -> None:
    source = github()
    manifest = Manifest.freeze(source.id, PARTITION.key, "hourglass-raw", [])
    gcs.create_once(gcs.client(), platform().ops_bucket, manifest.name, manifest.to_json())
    uri = platform().uri(manifest.name)
    task = RefineOperator(task_id="run", source=source, platform=platform(), manifest_uri=uri)
    hook = BatchHook()

    def there() -> set[str]:
        found = list_batches(hook, platform().project, platform().region, source.id, PARTITION.stamp)
        return {batch.name.rsplit("/", 1)[-1] for batch in found}

    before = there()
    proxy.add(Rule("dataproc", "lose", path="CreateBatch"))
    try:
        with pytest.raises(TaskDeferred) as deferred:
            task.execute(context())
        assert there() - before == {task.batch_id}
        assert deferred.value.trigger.batch_id == task.batch_id
        assert len(proxy.seen("dataproc", "CreateBatch")) == 2
    finally:
        hook.cancel(platform().project, platform().region, str(task.batch_id))


def test_a_ledger_row_whose_answer_got_lost_is_there_once(proxy: FaultProxy) -> None:
    client = bq.client(platform())
    run = f"test__{uuid.uuid4().hex}"
    row = LedgerRow("faults", PARTITION.key, PARTITION.start, "hour", "failed", run, 1, PARTITION.end)
    proxy.add(Rule("bigquery", "lose", method="POST", path=r"/jobs\?", body="INSERT INTO"))
    append(client, platform(), row)
    query = (
        f"SELECT COUNT(*) FROM ops.partition_ledger WHERE run_id = '{run}' AND landing_hour >= '2021-01-01'"
    )
    assert [tuple(r) for r in client.query(query).result()] == [(1,)]
    assert [s.status for s in proxy.seen("bigquery", r"/jobs\?", "POST")].count(409) == 1
