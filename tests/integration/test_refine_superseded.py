"""A batch of an older spec never commits after the one that takes its place: it is ended first, and its end awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR
from airflow.sdk.exceptions import AirflowException, TaskDeferred
from airflow.triggers.base import TriggerEvent
from faulty_services import PARTITION, context, github, platform
from google.cloud import storage
from lake_servers import Dataproc, State, wait_for
from test_dataproc_emulator import shell_server

from hourglass.cloud import gcs
from hourglass.operators.refine import RefineOperator
from hourglass.partition import Manifest, SourceObject

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
BATCHES = f"refine-github-{PARTITION.stamp}-"
LABELS = {
    "hourglass-source": "github",
    "hourglass-partition": PARTITION.stamp,
    "hourglass-stage": "refine",
}
# A driver that commits although it has been told to end, when the file `go` says so.
LAST_WORD = """cd {folder}
trap 'until [ -e go ]; do sleep 0.05; done; touch committed; exit 0' TERM
touch ready
while :; do sleep 0.05; done
"""
Server = Callable[[int], Dataproc]


@pytest.fixture
def server(
    tmp_path: Path, storage_client: storage.Client, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    """Starts the Dataproc server that the tasks ask, with a shell in Spark's place."""
    started: list[Any] = []

    def start(slots: int) -> Dataproc:
        monkeypatch.setenv("GRACE_SECONDS", "20")
        started.append(shell_server(tmp_path, storage_client, slots))
        found: Dataproc = started[-1].__enter__()
        monkeypatch.setenv("DATAPROC_EMULATOR_HOST", f"127.0.0.1:{found.port}")
        return found

    yield start
    for manager in started:
        manager.__exit__(None, None, None)


def refine(generation: int) -> RefineOperator:
    """A refine task whose manifest has one object, of this generation."""
    objects = [SourceObject("github/superseded/a.json", generation, 1)]
    manifest = Manifest.freeze("github", PARTITION.key, "hourglass-raw", objects)
    gcs.create_once(gcs.client(), platform().ops_bucket, manifest.name, manifest.to_json())
    uri = platform().uri(manifest.name)
    return RefineOperator(task_id="run", source=github(), platform=platform(), manifest_uri=uri)


def deferred(call: Callable[..., Any], *arguments: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as found:
        call(*arguments)
    return found.value


def resumed(task: RefineOperator, waiting: TaskDeferred) -> TaskDeferred:
    """What a task does after its trigger's event."""

    async def event() -> TriggerEvent:
        async for found in waiting.trigger.run():
            assert isinstance(found, TriggerEvent)
            return found
        raise AssertionError("the trigger ended without an event")

    payload = asyncio.run(asyncio.wait_for(event(), 60)).payload
    return deferred(task.resume_execution, waiting.method_name, {"event": payload}, context())


def states(dataproc: Dataproc) -> dict[str, str]:
    """The states of all batches, by their ids."""
    found = dataproc.client.list_batches(parent=dataproc.parent)
    return {batch.name.rsplit("/", 1)[-1]: batch.state.name for batch in found}


def test_a_waiting_batch_of_an_older_manifest_gives_way(server: Server) -> None:
    dataproc = server(1)
    dataproc.create("blocker", "sleep 60")
    dataproc.reach("blocker", State.RUNNING)
    dataproc.create("push-actor-1", "exit 0", labels={**LABELS, "hourglass-stage": "serve"})
    older = deferred(refine(1).execute, context()).trigger.batch_id
    before = {"blocker": "RUNNING", "push-actor-1": "PENDING"}
    assert states(dataproc) == {**before, older: "PENDING"}

    task = refine(2)
    waiting = deferred(task.execute, context())
    assert (waiting.method_name, waiting.trigger.batch_id) == ("execute", older)
    assert waiting.timeout is not None
    assert states(dataproc) == {**before, older: "CANCELLED"}
    newer = resumed(task, waiting)
    assert newer.method_name == "execute_complete"
    assert newer.trigger.batch_id != older
    assert states(dataproc) == {**before, older: "CANCELLED", newer.trigger.batch_id: "PENDING"}

    again = deferred(refine(2).execute, context())  # the same spec: a retry attaches, and cancels nothing
    assert (again.method_name, again.trigger.batch_id) == ("execute_complete", newer.trigger.batch_id)
    assert states(dataproc) == {**before, older: "CANCELLED", newer.trigger.batch_id: "PENDING"}


@pytest.mark.parametrize("own", [False, True], ids=["older-spec", "same-spec"])
def test_a_driver_that_commits_after_its_cancellation_has_done_so_before_the_next_begins(
    server: Server, tmp_path: Path, own: bool
) -> None:
    dataproc = server(2)
    task = refine(1)
    running = f"{BATCHES}0123abcd-1"
    if own:  # its task was marked failed, and is cleared a moment later
        running = deferred(task.execute, context()).trigger.batch_id.removesuffix("-1") + "-2"
        dataproc.reach(running.removesuffix("-2") + "-1", State.FAILED)  # a shell cannot run refine.py
    operation = dataproc.create(running, LAST_WORD.format(folder=tmp_path), labels=LABELS)
    wait_for((tmp_path / "ready").exists, 30, "the driver runs")
    if own:
        operation.cancel()
    waiting = deferred(task.execute, context())
    assert waiting.trigger.batch_id == running
    assert states(dataproc)[running] == "CANCELLING"
    before = set(states(dataproc))
    assert before == {running, *([running.removesuffix("2") + "1"] if own else [])}
    (tmp_path / "go").touch()
    newer = resumed(task, waiting).trigger.batch_id
    assert (tmp_path / "committed").exists()
    assert newer not in before
    assert dataproc.get(newer).create_time >= dataproc.get(running).state_time


def test_a_batch_that_does_not_end_is_named_and_none_is_started() -> None:
    late = {"error": "Trigger timeout"}
    with pytest.raises(AirflowException) as failed:
        refine(1).resume_execution(TRIGGER_FAIL_REPR, late, context())
    message = str(failed.value)
    assert "an earlier batch of github 2021-07-21T06 was cancelled, and had not ended 10 minutes" in message
    assert f"batches {BATCHES}…" in message
    assert "clear this task" in message
