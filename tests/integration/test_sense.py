"""Stage 1 against a growing prefix in the local GCS."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud import storage

from hourglass.cloud import gcs
from hourglass.operators.sense import PartitionTrigger, look, rule_to
from hourglass.partition import Completeness, Grain, Manifest, Partition
from hourglass.partition.completeness import Verdict

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
BUCKET = "hourglass-raw"


class Prefix:
    """A folder of its own for each test."""

    def __init__(self) -> None:
        self.bucket = storage.Client().bucket(BUCKET)
        self.source = f"sensetest-{uuid.uuid4().hex}"  # whose manifests are no other test's
        self.path = f"sense-test/{self.source}/"

    def put(self, name: str, content: str = "x") -> None:
        self.bucket.blob(self.path + name).upload_from_string(content)

    def where(self, rule: Completeness, partition: Partition, **changes: Any) -> dict[str, Any]:
        return {
            "source": self.source,
            "table": None,
            "grain": str(partition.grain),
            "partition": partition.key,
            "bucket": BUCKET,
            "prefixes": [self.path],
            "dead_letter_prefix": None,
            "by_creation_time": False,
            "rule": rule_to(rule),
            "ops_bucket": "hourglass-ops",
            "gcp_conn_id": "google_cloud_default",
            **changes,
        }


@pytest.fixture
def prefix() -> Prefix:
    return Prefix()


def past() -> Partition:
    return Partition.parse("2021-07-21T06")


def fire(trigger: PartitionTrigger, meanwhile: Callable[[], None]) -> tuple[dict[str, Any], float]:
    """Run a trigger as the triggerer does; return its event's payload and the seconds it took."""

    async def first() -> Any:
        async for event in trigger.run():
            return event.payload
        raise AssertionError("the trigger ended without an event")

    thread = threading.Thread(target=meanwhile)
    thread.start()
    started = time.monotonic()
    payload = asyncio.run(asyncio.wait_for(first(), timeout=60))
    thread.join()
    return payload, time.monotonic() - started


def test_the_trigger_waits_until_the_prefix_stops_growing(prefix: Prefix) -> None:
    rule = Completeness(settle=timedelta(seconds=3), min_files=2, give_up_after=timedelta(days=10_000))
    prefix.put("a")

    def grow() -> None:
        for name in ("b", "c", "d"):
            time.sleep(0.5)  # far less than it settles, for one that arrives late on a busy machine
            prefix.put(name)

    trigger = PartitionTrigger(prefix.where(rule, past()), poll_seconds=0.5)
    event, seconds = fire(trigger, grow)
    assert event["verdict"] == "complete"
    assert event["manifest"]["objects"] == 4
    assert seconds >= 0.5 * 3 + 3 - 0.5
    text = gcs.read_text(storage.Client(), "hourglass-ops", event["manifest"]["uri"].split("/", 3)[3])
    manifest = Manifest.from_json(text or "")
    assert [o.name.rsplit("/", 1)[1] for o in manifest.objects] == ["a", "b", "c", "d"]


def test_a_marker_completes_at_once_and_is_no_data(prefix: Prefix) -> None:
    rule = Completeness(settle=timedelta(hours=1), min_files=9, marker="_SUCCESS")
    partition = Partition.containing(datetime.now(tz=UTC), Grain.HOUR)
    prefix.put("a")
    event, seconds = fire(
        PartitionTrigger(prefix.where(rule, partition), poll_seconds=0.3),
        lambda: (time.sleep(1), prefix.put("_SUCCESS"))[0],
    )
    assert event["verdict"] == "complete"
    assert event["manifest"]["objects"] == 1
    assert 0.9 < seconds < 10


def test_the_trigger_survives_its_serialization(prefix: Prefix) -> None:
    from airflow._shared.module_loading import import_string

    prefix.put("a")
    path, arguments = PartitionTrigger(
        prefix.where(Completeness(settle=timedelta(0)), past()), poll_seconds=0.3
    ).serialize()
    event, _ = fire(import_string(path)(**arguments), lambda: None)
    assert event["verdict"] == "complete"


def test_racing_tasks_agree_on_one_manifest(prefix: Prefix) -> None:
    prefix.put("a")
    prefix.put("b")
    where = prefix.where(Completeness(settle=timedelta(0)), past())
    summaries: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: summaries.append(look(where, datetime.now(tz=UTC))[1]))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(summaries) == 6
    assert all(s == summaries[0] for s in summaries)


def test_a_replaced_object_makes_another_manifest(prefix: Prefix) -> None:
    where = prefix.where(Completeness(settle=timedelta(0)), past())
    prefix.put("a", "one")
    _, before = look(where, datetime.now(tz=UTC))
    _, again = look(where, datetime.now(tz=UTC))
    prefix.put("a", "two")
    _, after = look(where, datetime.now(tz=UTC))
    assert before == again
    assert before["hash"] != after["hash"]


def test_an_empty_prefix_follows_on_empty(prefix: Prefix) -> None:
    now = datetime.now(tz=UTC)
    verdicts = {
        on_empty: look(prefix.where(Completeness(on_empty=on_empty), past()), now)  # type: ignore[arg-type]
        for on_empty in ("fail", "skip", "accept")
    }
    assert verdicts["fail"][0].verdict is Verdict.MISSING
    assert verdicts["skip"][0].verdict is Verdict.SKIP
    assert verdicts["accept"][0].verdict is Verdict.COMPLETE
    assert verdicts["accept"][1]["objects"] == 0


def test_a_prefix_whose_objects_are_gone_is_not_skipped(prefix: Prefix) -> None:
    def looked(on_empty: Any) -> tuple[Any, dict[str, Any]]:
        rule = Completeness(settle=timedelta(0), on_empty=on_empty)
        return look(prefix.where(rule, past()), datetime.now(tz=UTC))

    prefix.put("a")
    assert looked("skip")[1]["objects"] == 1
    prefix.bucket.blob(f"{prefix.path}a").delete()
    readiness, summary = looked("skip")
    assert (readiness.verdict, summary) == (Verdict.MISSING, {})
    assert "had 1 before" in readiness.reason
    assert "on_empty: accept" in readiness.reason
    assert looked("accept")[1]["objects"] == 0  # what the reason says to do


def test_without_a_template_an_object_belongs_to_the_hour_it_was_created_in(prefix: Prefix) -> None:
    now = datetime.now(tz=UTC)
    this_hour = Partition.containing(now, Grain.HOUR)
    rule = Completeness(close_after=timedelta(0), settle=timedelta(0), on_empty="accept")
    prefix.put("a")
    for partition, objects in ((this_hour, 1), (Partition.last_ended(now, Grain.HOUR), 0)):
        where = prefix.where(rule, partition, by_creation_time=True)
        _, manifest = look(where, partition.end + timedelta(minutes=1))
        assert manifest["objects"] == objects, partition.key


def test_several_prefixes_make_one_partition_and_dead_letters_are_marked(prefix: Prefix) -> None:
    for name in ("orders/a", "items/a", "dead/a", "elsewhere/a"):
        prefix.put(name)
    where = prefix.where(
        Completeness(settle=timedelta(0)),
        past(),
        prefixes=[prefix.path + folder for folder in ("orders/", "items/", "dead/")],
        dead_letter_prefix=f"{prefix.path}dead/",
    )
    _, summary = look(where, datetime.now(tz=UTC))
    text = gcs.read_text(storage.Client(), "hourglass-ops", summary["uri"].split("/", 3)[3])
    manifest = Manifest.from_json(text or "")
    marked = {o.name.removeprefix(prefix.path): o.dead_letter for o in manifest.objects}
    assert marked == {"orders/a": False, "items/a": False, "dead/a": True}


def test_a_marker_completes_only_its_own_prefix(prefix: Prefix) -> None:
    rule = Completeness(settle=timedelta(hours=1), marker="_SUCCESS")
    partition = Partition.containing(datetime.now(tz=UTC), Grain.HOUR)
    where = prefix.where(rule, partition, prefixes=[f"{prefix.path}orders/", f"{prefix.path}items/"])
    for name in ("orders/a", "items/a", "orders/_SUCCESS"):
        prefix.put(name)
    assert look(where, datetime.now(tz=UTC))[0].verdict is Verdict.WAITING
    prefix.put("items/_SUCCESS")
    readiness, summary = look(where, datetime.now(tz=UTC))
    assert readiness.verdict is Verdict.COMPLETE
    assert summary["objects"] == 2
