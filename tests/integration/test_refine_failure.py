"""What a person is told of a refine batch that failed: its last words, and whether another try would help."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred
from faulty_services import PARTITION, context, github, platform
from google.cloud import storage

from hourglass.cloud import gcs
from hourglass.cloud.dataproc import LIVE_STATES, BatchHook
from hourglass.operators.refine import RefineOperator
from hourglass.partition import Manifest, SourceObject

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
BUCKET = "hourglass-raw"
FOLDER = "github/refine-failure/"
PATIENCE_SECONDS = 300


@pytest.fixture
def landed() -> Iterator[SourceObject]:
    """One object of the partition, as a listing gives it."""
    bucket = storage.Client().bucket(BUCKET)
    bucket.blob(f"{FOLDER}a.json.gz").upload_from_string(b"\x1f\x8b cut off")
    yield gcs.list_objects(gcs.client(), BUCKET, FOLDER)[0]
    bucket.blob(f"{FOLDER}a.json.gz").delete()


def failure(objects: list[SourceObject]) -> tuple[RefineOperator, dict[str, Any]]:
    """A refine task of a manifest with these objects, and its trigger's event once its batch has failed."""
    manifest = Manifest.freeze("github", PARTITION.key, BUCKET, objects)
    gcs.create_once(gcs.client(), platform().ops_bucket, manifest.name, manifest.to_json())
    uri = platform().uri(manifest.name)
    task = RefineOperator(task_id="run", source=github(), platform=platform(), manifest_uri=uri)
    with pytest.raises(TaskDeferred):
        task.execute(context())
    asked = {"batch_id": task.batch_id, "region": platform().region, "project_id": platform().project}
    until = time.monotonic() + PATIENCE_SECONDS
    batch = BatchHook().get_batch(**asked)
    while batch.state.name in LIVE_STATES and time.monotonic() < until:
        time.sleep(0.5)
        batch = BatchHook().get_batch(**asked)
    return task, {
        "batch_id": task.batch_id,
        "batch_state": batch.state.name,
        "batch_state_message": batch.state_message,
    }


def test_an_object_replaced_since_it_was_sensed_fails_for_good_and_says_what_heals_it(
    landed: SourceObject,
) -> None:
    task, event = failure([replace(landed, generation=landed.generation - 1)])
    with pytest.raises(AirflowFailException) as failed:
        task.execute_complete(context(), event)
    message = str(failed.value)
    assert "1 objects of its manifest have been replaced or removed since they were sensed" in message
    assert f"first gs://{BUCKET}/{FOLDER}a.json.gz" in message
    assert "clear `sense` and downstream" in message
    before = failed.value.__cause__
    assert type(before) is AirflowException
    assert "its last line: refine failed: " in str(before)
    assert f"{FOLDER}a.json.gz" in str(before)


def test_the_last_line_is_that_of_the_last_part(landed: SourceObject) -> None:
    client = storage.Client()
    bucket = client.bucket(BUCKET)
    texts = {"000": b"one\ntwo\n", "001": b"x" * 5000 + b"\nthree\n\n", "002": b""}
    for part, text in texts.items():
        bucket.blob(f"{FOLDER}output/driveroutput.{part}").upload_from_string(text)
    try:
        uri = f"gs://{BUCKET}/{FOLDER}output/driveroutput"
        assert gcs.last_line(client, uri) == "three"
        assert gcs.last_line(client, f"{uri}.nowhere") == ""
    finally:
        for part in texts:
            bucket.blob(f"{FOLDER}output/driveroutput.{part}").delete()


def test_objects_that_are_there_as_they_were_sensed_are_not_replaced(landed: SourceObject) -> None:
    other = replace(landed, name=f"{FOLDER}gone.json.gz")
    manifest = Manifest.freeze("github", PARTITION.key, BUCKET, [landed, other])
    assert gcs.replaced_objects(gcs.client(), manifest) == [f"gs://{BUCKET}/{FOLDER}gone.json.gz"]
