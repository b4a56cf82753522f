"""A wrong credential or a missing permission fails a task at once and says who lacks what, and where."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferralError
from faulty_services import PARTITION, context, github, platform
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from hourglass.cloud import bigquery as bq
from hourglass.cloud import gcs
from hourglass.operators.account import account
from hourglass.operators.base import CloudOperator, JobOperator
from hourglass.operators.expectations import validate
from hourglass.operators.push_features import PushFeaturesOperator
from hourglass.operators.refine import RefineOperator
from hourglass.operators.sense import WaitForPartition
from hourglass.partition import Manifest
from tests.faults.proxy import FaultProxy
from tests.faults.rules import Rule

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
ROBOT = "etl@shop.iam.gserviceaccount.com"
RESOURCE = "//dataproc.googleapis.com/projects/shop/locations/us-central1"


def refusal(message: str, reason: str = "accessDenied", code: int = 403) -> str:
    error = {"code": code, "message": message, "errors": [{"reason": reason, "message": message}]}
    return json.dumps({"error": error})


class Asking(CloudOperator):
    """A task that asks."""

    def __init__(self, *, ask: Callable[[], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ask = ask

    def execute(self, context: Any) -> Any:
        return self.ask()


def wait() -> Any:
    return WaitForPartition(task_id="wait", source=github(), platform=platform())


def refine() -> Any:
    uri = platform().uri("manifests/github/denied.json")
    return RefineOperator(task_id="run", source=github(), platform=platform(), manifest_uri=uri)


def failed(task: Any) -> str:
    """The message with which a task fails for good."""
    with pytest.raises(AirflowFailException) as raised:
        task.execute(context())
    message = str(raised.value)
    assert message.endswith("runbook: docs/runbook.md#permission-denied"), message
    return message


def test_gcs(proxy: FaultProxy) -> None:
    words = (
        f"{ROBOT} does not have storage.objects.list access to the Google Cloud Storage bucket. Permission "
        "'storage.objects.list' denied on resource (or it may not exist)."
    )
    proxy.add(Rule("gcs", "answer", path=r"/o\?", status=403, text=refusal(words, "forbidden"), last=0))
    message = failed(wait())
    assert message.startswith(
        f"{ROBOT} lacks storage.objects.list on gs://hourglass-raw/: Forbidden: 403 GET"
    )
    assert f"grant {ROBOT} a role that has storage.objects.list on gs://hourglass-raw/" in message
    assert len(proxy.seen("gcs")) == 1


def test_bigquery_table(proxy: FaultProxy) -> None:
    table = "hourglass-local:candidate.github"
    words = f"Access Denied: Table {table}: Permission bigquery.tables.get denied on table {table}."
    proxy.add(Rule("bigquery", "answer", path="/tables/", status=403, text=refusal(words), last=0))
    refined = {"counts": {"lines": 0, "silver": 0, "quarantined": 0, "duplicates": 0}, "outcome": "x"}
    message = failed(Asking(task_id="account", ask=lambda: account(github(), platform(), PARTITION, refined)))
    connection = "the account of Airflow connection google_cloud_default"
    assert message.startswith(f"{connection} lacks bigquery.tables.get on table {table}: ")
    assert len(proxy.seen("bigquery")) == 1


def job() -> JobOperator:
    query = {"query": {"query": "SELECT 1", "useLegacySql": False}}
    return JobOperator(task_id="job", platform=platform(), configuration=query)


def test_bigquery_job(proxy: FaultProxy) -> None:
    words = "Access Denied: Project shop: User does not have bigquery.jobs.create permission in project shop."
    proxy.add(
        Rule("bigquery", "answer", method="POST", path="/jobs", status=403, text=refusal(words), last=0)
    )
    assert " lacks bigquery.jobs.create on Project shop: " in failed(job())
    assert len(proxy.seen("bigquery")) == 1


@pytest.mark.parametrize("first", [1, 2])
def test_a_suite_that_may_not_read_says_nothing_of_the_rows(proxy: FaultProxy, first: int) -> None:
    client = bq.client(platform())
    bq.ensure_dataset(client, platform(), "faults")
    client.query("CREATE TABLE IF NOT EXISTS faults.rows_ AS SELECT 1 AS n").result()
    proxy.clear()
    words = "Access Denied: Table shop:gold.x: User does not have permission to query table shop:gold.x."
    query = {"method": "POST", "path": "/(jobs|queries)", "first": first, "last": 0}
    proxy.add(Rule("bigquery", "answer", status=403, text=refusal(words), **query))
    entries = [{"type": "ExpectColumnMaxToBeBetween", "column": "n", "max_value": 3}]
    table = bq.TableName(platform().project, "faults", "rows_")
    message = failed(Asking(task_id="validate", ask=lambda: validate("rows", entries, table)))
    assert "lacks query table shop:gold.x on Table shop:gold.x: " in message


def test_a_job_that_may_not_read_fails_for_good_when_its_trigger_says_so(proxy: FaultProxy) -> None:
    words = "Access Denied: Table shop:gold.x: User does not have permission to query table shop:gold.x."
    event = {"status": "error", "message": words}
    with pytest.raises(AirflowFailException, match=r"on Table shop:gold\.x: (.|\n)*#permission-denied"):
        job().resume_execution("execute_complete", {"event": event}, context())
    event["message"] = "Syntax error: Unexpected keyword SELECT"
    with pytest.raises(Exception, match="Syntax error") as raised:
        job().resume_execution("execute_complete", {"event": event}, context())
    assert not isinstance(raised.value, AirflowFailException)


def test_a_trigger_that_was_refused_fails_the_task_for_good() -> None:
    lines = [
        "Traceback (most recent call last):",
        f"google.api_core.exceptions.Forbidden: 403 GET http://x: {ROBOT} does not have storage.objects.list access",
    ]
    with pytest.raises(AirflowFailException, match=f"{ROBOT} lacks storage.objects.list"):
        wait().resume_execution("__fail__", {"error": "Trigger failure", "traceback": lines}, context())
    with pytest.raises(TaskDeferralError):
        wait().resume_execution("__fail__", {"error": "x", "traceback": ["KeyError: 'a'"]}, context())


def test_dataproc(proxy: FaultProxy) -> None:
    info = ErrorInfo(
        reason="IAM_PERMISSION_DENIED",
        domain="iam.googleapis.com",
        metadata={"permission": "dataproc.batches.list", "resource": RESOURCE},
    )
    status = Status(code=7, message="Permission denied")
    status.details.add().Pack(info)
    details = {"grpc-status-details-bin": status.SerializeToString()}
    proxy.add(Rule("dataproc", "answer", status=7, text="Permission denied", headers=dict(details), last=0))
    manifest = Manifest.freeze("github", PARTITION.key, "hourglass-raw", [])
    gcs.write(gcs.client(), platform().ops_bucket, "manifests/github/denied.json", manifest.to_json())
    message = failed(refine())
    assert f" lacks dataproc.batches.list on {RESOURCE}: PermissionDenied: 403 " in message
    assert f"\n  where: {RESOURCE}\n" in message
    assert len(proxy.seen("dataproc")) == 1


def test_bigtable(proxy: FaultProxy) -> None:
    words = "Access denied. Missing IAM permission: bigtable.tables.get."
    proxy.add(Rule("bigtable", "answer", path="GetTable", status=7, text=words, last=0))
    [feature_set, *_] = github().file.serving.feature_sets
    task = PushFeaturesOperator(task_id="push", feature_set=feature_set, source=github(), platform=platform())
    assert " lacks bigtable.tables.get on " in failed(task)
    assert len(proxy.seen("bigtable")) == 1


def test_a_credential_that_is_not_accepted(proxy: FaultProxy) -> None:
    proxy.add(
        Rule("gcs", "answer", status=401, text=refusal("Invalid Credentials", "authError", 401), last=0)
    )
    message = failed(wait())
    assert message.startswith(
        "the credentials of the account of Airflow connection google_cloud_default are not"
    )
    assert "Invalid Credentials" in message


def test_a_key_that_was_revoked(proxy: FaultProxy) -> None:
    body = json.dumps({"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    proxy.add(Rule("credentials", "answer", status=400, text=body, last=0))
    assert "are not accepted: RefreshError: " in (message := failed(wait()))
    assert "Invalid JWT Signature" in message


def test_no_credential_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    assert "are not accepted: DefaultCredentialsError: " in failed(wait())


def test_a_limit_that_google_says_with_403_is_no_refusal(proxy: FaultProxy) -> None:
    text = refusal("Exceeded rate limits: too many api requests", "rateLimitExceeded")
    proxy.add(Rule("bigquery", "answer", path="/tables/", status=403, text=text))
    with pytest.raises(Exception, match="404"):
        bq.client(platform()).get_table("candidate.none")
    assert [s.rule is not None for s in proxy.seen("bigquery")] == [True, False]


def test_the_environment_is_given_back(cloud: Any, proxied: FaultProxy) -> None:
    assert {os.environ[name] for name in proxied.variables} == set(proxied.variables.values())
    before = dict(os.environ)
    with FaultProxy() as inner:
        assert all(os.environ[name] != before[name] for name in inner.variables)
    assert dict(os.environ) == before
