"""sense.land of a cloud_transfer: the provider's hook against the local Storage Transfer Service."""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)
from google.cloud import storage

from hourglass.cloud.transfer import TransferHook, credentials_of
from hourglass.config import Platform, load_source
from hourglass.operators import transfer
from hourglass.operators.sense import look, where_of
from hourglass.operators.transfer import TransferPartition
from hourglass.partition import Grain, Partition
from hourglass.partition.completeness import Verdict
from local.transfer.__main__ import Handler
from local.transfer.buckets import Buckets
from local.transfer.jobs import Jobs

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
PAST = Partition.parse("2026-01-05T06")


class Transfer:
    """One source of its own, the bucket that stands for the other cloud's, and what lands."""

    def __init__(self, include: Path) -> None:
        self.include = include
        self.source_id = f"transfer_{uuid.uuid4().hex[:10]}"
        self.storage = storage.Client()
        self.other = self.storage.create_bucket(f"other-{uuid.uuid4().hex[:10]}")
        self.configure()

    def configure(self, **ingestion: Any) -> None:
        field = {
            "name": "id",
            "type": "STRING",
            "mode": "REQUIRED",
            "description": "K",
            "classification": "public",
        }
        schema = {"source_id": self.source_id, "version": "1.0", "fields": [field]}
        document = {
            "source_id": self.source_id,
            "display_name": "Transfer test",
            "description": "A bucket of the tests.",
            "ingestion": {
                "pattern": "cloud_transfer",
                "source_type": "s3",
                "source_bucket": self.other.name,
                "source_path": "exports/",
                "schedule": "0 * * * *",
                **ingestion,
            },
            "schema": {"file": f"schemas/{self.source_id}/1.0.json"},
        }
        for name, text in (
            (f"sources/{self.source_id}.yaml", yaml.safe_dump(document)),
            (f"schemas/{self.source_id}/1.0.json", json.dumps(schema)),
        ):
            file = self.include / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def put(self, name: str, modified: datetime | None = None, content: str = "x") -> None:
        blob = self.other.blob(name)
        blob.custom_time = modified
        blob.upload_from_string(content)

    def task(self) -> TransferPartition:
        source = load_source(self.source_id, self.include)
        return TransferPartition(
            task_id="land", source=source, platform=Platform.from_env(), poll_seconds=0.3
        )

    def run(self, partition: Partition = PAST) -> dict[str, Any]:
        """One try, through all its waits, as the triggerer goes through them."""
        context: Any = {"dag_run": SimpleNamespace(logical_date=partition.start, run_id="t"), "params": {}}
        task = self.task()
        method, arguments = "execute", {}
        self.waits: list[Any] = []
        while True:
            try:
                result: dict[str, Any] = getattr(task, method)(context, **arguments)
                return result
            except TaskDeferred as deferred:
                self.waits.append(deferred.trigger)
                event = asyncio.run(first_event(deferred.trigger))
                method, arguments = deferred.method_name, {"event": event}

    def objects(self, partition: Partition = PAST) -> dict[str, storage.Blob]:
        prefix = f"{self.source_id}/{partition.start:year=%Y/month=%m/day=%d/hour=%H/}"
        blobs = self.storage.list_blobs("hourglass-raw", prefix=prefix)
        return {b.name.removeprefix(prefix): b for b in blobs}


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("the trigger ended without an event")


@pytest.fixture
def moved(tmp_path: Path) -> Transfer:
    return Transfer(tmp_path)


@pytest.fixture
def slow(tmp_path: Path, cloud: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jobs]:
    """A service of its own that takes its time for each object."""
    endpoint = cloud.environment()["STORAGE_EMULATOR_HOST"]
    jobs = Jobs(tmp_path / "jobs.json", Buckets(endpoint), pause_seconds=1.0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Slow", (Handler,), {"jobs": jobs}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("STORAGETRANSFER_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    yield jobs
    server.shutdown()
    server.server_close()
    thread.join()


def test_only_objects_modified_within_the_interval_are_copied(moved: Transfer) -> None:
    moved.put("exports/a.json", PAST.start)
    moved.put("exports/deep/b.json", PAST.end - timedelta(seconds=1))
    moved.put("exports/early.json", PAST.start - timedelta(seconds=1))
    moved.put("exports/late.json", PAST.end)
    moved.put("elsewhere/c.json", PAST.start)
    result = moved.run()
    assert (result["objects"], result["copied"]) == (2, 2)
    assert sorted(moved.objects()) == ["_SUCCESS", "a.json", "deep/b.json"]
    readiness, manifest = look(
        where_of(
            load_source(moved.source_id, moved.include), Platform.from_env(), PAST, "google_cloud_default"
        ),
        datetime.now(tz=UTC),
    )
    assert readiness.verdict is Verdict.COMPLETE
    assert manifest["objects"] == 2


def test_a_path_with_tokens_is_the_partitions_own_folder(moved: Transfer) -> None:
    moved.configure(source_path="exports/YYYY/MM/DD/hh/")
    moved.put("exports/2026/01/05/06/a.json")
    moved.put("exports/2026/01/05/07/b.json")
    moved.run()
    assert sorted(moved.objects()) == ["_SUCCESS", "a.json"]


def test_a_clear_transfers_again_and_copies_only_what_differs(moved: Transfer) -> None:
    for name in ("a", "b"):
        moved.put(f"exports/{name}.json", PAST.start)
    moved.run()
    before = {n: b.generation for n, b in moved.objects().items()}
    moved.put("exports/b.json", PAST.start, "changed")
    moved.put("exports/c.json", PAST.start)
    result = moved.run()
    assert (result["objects"], result["copied"]) == (3, 2)
    after = {n: b.generation for n, b in moved.objects().items()}
    assert after["a.json"] == before["a.json"]
    assert after["b.json"] != before["b.json"]
    assert moved.objects()["b.json"].download_as_text() == "changed"


def test_a_retry_attaches_to_the_operation_in_flight(moved: Transfer, slow: Jobs) -> None:
    for number in range(12):
        moved.put(f"exports/{number}.json", PAST.start)
    task = moved.task()
    context: Any = {"dag_run": SimpleNamespace(logical_date=PAST.start, run_id="t"), "params": {}}
    with pytest.raises(TaskDeferred) as killed:
        task.execute(context)
    assert "_SUCCESS" not in moved.objects()
    result = moved.run()
    (trigger,) = moved.waits
    assert trigger.operation == killed.value.trigger.operation
    assert result["objects"] == 12
    assert len(slow.operations({})["operations"]) == 1


def test_a_task_marked_failed_leaves_no_transfer_running(
    moved: Transfer, slow: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        moved.put(f"exports/{number}.json", PAST.start)
    context: Any = {"dag_run": SimpleNamespace(logical_date=PAST.start, run_id="t"), "params": {}}
    with pytest.raises(TaskDeferred) as deferred:
        moved.task().execute(context)
    trigger: Any = deferred.value.trigger
    # Only the task's state is pretended; the operation and its cancellation are real.
    for state, ended in (("deferred", False), ("failed", True)):
        monkeypatch.setattr(transfer, "task_state", lambda _, state=state: state)
        asyncio.run(trigger.on_kill())
        if ended:
            event = asyncio.run(asyncio.wait_for(first_event(trigger), 10))
            assert event["status"] == "ABORTED"
        else:
            assert slow.operation(trigger.operation)["metadata"]["status"] == "IN_PROGRESS"
    with pytest.raises(AirflowException, match=r"ended ABORTED(.|\n)*transfer-failed"):
        moved.task().resume(context, event)
    assert "_SUCCESS" not in moved.objects()


def test_the_trigger_survives_its_serialization(moved: Transfer) -> None:
    from airflow._shared.module_loading import import_string

    moved.put("exports/a.json", PAST.start)
    context: Any = {"dag_run": SimpleNamespace(logical_date=PAST.start, run_id="t"), "params": {}}
    with pytest.raises(TaskDeferred) as deferred:
        moved.task().execute(context)
    path, arguments = deferred.value.trigger.serialize()
    assert (
        asyncio.run(first_event(import_string(path)(**json.loads(json.dumps(arguments)))))["status"]
        == "SUCCESS"
    )


def test_a_missing_bucket_is_named(moved: Transfer) -> None:
    moved.configure(source_bucket="no-such-bucket-anywhere")
    with pytest.raises(
        AirflowException, match=r"ended FAILED: .*no-such-bucket-anywhere(.|\n)*transfer-failed"
    ):
        moved.run()


def test_an_open_partition_is_transferred_after_it_has_closed(moved: Transfer) -> None:
    now = datetime.now(tz=UTC)
    partition = Partition.last_ended(now, Grain.HOUR)
    closes_in = int((now - partition.end).total_seconds()) + 15
    moved.configure(completeness={"close_after": f"{closes_in}s"})
    moved.put("exports/a.json", partition.start)
    moved.run(partition)
    assert len(moved.waits) == 2
    assert moved.waits[0].moment == partition.end + timedelta(seconds=closes_in)
    assert sorted(moved.objects(partition)) == ["_SUCCESS", "a.json"]


@pytest.mark.parametrize(
    ("on_empty", "error"), [("fail", AirflowFailException), ("skip", AirflowSkipException), ("accept", None)]
)
def test_nothing_to_transfer_follows_on_empty(
    moved: Transfer, on_empty: str, error: type[Exception] | None
) -> None:
    moved.configure(on_empty=on_empty)
    if error is not None:
        with pytest.raises(error, match="nothing to transfer"):
            moved.run()
        assert moved.objects() == {}
        return
    moved.run()
    assert list(moved.objects()) == ["_SUCCESS"]


def test_a_missing_connection_is_named(moved: Transfer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws"}))
    with pytest.raises(AirflowFailException, match=r"'aws_default'(.|\n)*role_arn(.|\n)*secret-missing"):
        moved.run()


def test_a_role_goes_before_a_key_and_the_key_is_not_shown() -> None:
    role = SimpleNamespace(extra_dejson={"role_arn": "arn:aws:iam::1:role/r"}, login="id", password="key")
    assert credentials_of(role) == {"roleArn": "arn:aws:iam::1:role/r"}
    key = SimpleNamespace(extra_dejson={}, login="id", password="key")
    assert credentials_of(key) == {"awsAccessKey": {"accessKeyId": "id", "secretAccessKey": "key"}}
    assert credentials_of(SimpleNamespace(extra_dejson={}, login=None, password=None)) is None


def test_without_the_variable_the_hook_speaks_to_google(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGETRANSFER_EMULATOR_HOST")
    assert TransferHook().get_conn()._baseUrl == "https://storagetransfer.googleapis.com/"
