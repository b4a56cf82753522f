"""sense.land of a polled API, against a real HTTP server and the local GCS."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import poll_source
import pytest
import rest_api
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)
from google.cloud import storage

from hourglass.ingest import rest
from hourglass.partition import Grain, Partition

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
ROOT = Path(__file__).resolve().parents[2]
PAST = Partition.parse(poll_source.PARTITION)


class Poll:
    """One source of its own, its API, and what lands."""

    def __init__(self, include: Path, api: rest_api.RestApi) -> None:
        self.include, self.api = include, api
        self.source_id = f"poll_{uuid.uuid4().hex[:12]}"
        self.storage = storage.Client()
        self.configure()

    def configure(self, **ingestion: Any) -> None:
        poll_source.write_source(self.include, self.source_id, self.api.url, **ingestion)

    def run(self, partition: Partition = PAST) -> dict[str, Any]:
        """One try, through all its waits, as the triggerer goes through them."""
        context = poll_source.context(partition.start)
        task = poll_source.operator(self.include, self.source_id)
        method, arguments = "execute", {}
        self.waits: list[datetime] = []
        while True:
            try:
                result: dict[str, Any] = getattr(task, method)(context, **arguments)
                return result
            except TaskDeferred as deferred:
                event = asyncio.run(first_event(deferred.trigger))
                self.waits.append(deferred.trigger.moment)
                method, arguments = deferred.method_name, {"event": event, **(deferred.kwargs or {})}

    def objects(self) -> dict[str, storage.Blob]:
        prefix = f"{self.source_id}/year=2026/month=01/day=05/hour=06/"
        blobs = self.storage.list_blobs("hourglass-raw", prefix=prefix)
        return {b.name.removeprefix(prefix): b for b in blobs}

    def landed(self) -> list[str]:
        """The ids that landed, object by object, line by line."""
        pages = [b for name, b in sorted(self.objects().items()) if name.startswith("page-")]
        lines = [
            line
            for b in pages
            for line in gzip.decompress(b.download_as_bytes(raw_download=True)).splitlines()
        ]
        return [json.loads(line)["id"] for line in lines]

    def progress(self) -> storage.Blob:
        name = f"landings/{self.source_id}/{PAST.key}.json"
        return self.storage.bucket("hourglass-ops").blob(name)


async def first_event(trigger: Any) -> Any:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("the trigger ended without an event")


@pytest.fixture
def api() -> Iterator[rest_api.RestApi]:
    server = rest_api.RestApi()
    server.records = [{"id": f"r{n:03d}"} for n in range(45)]
    yield server
    server.stop()


@pytest.fixture
def poll(tmp_path: Path, api: rest_api.RestApi, monkeypatch: pytest.MonkeyPatch) -> Poll:
    monkeypatch.setenv(f"AIRFLOW_VAR_{poll_source.SECRET.upper()}", rest_api.TOKEN)
    return Poll(tmp_path, api)


def ids(api: rest_api.RestApi) -> list[str]:
    return [r["id"] for r in api.records]


def test_every_page_lands_once_and_the_marker_last(poll: Poll, api: rest_api.RestApi) -> None:
    result = poll.run()
    assert (result["objects"], result["items"]) == (5, 45)
    assert poll.landed() == ids(api)
    assert list(poll.objects()) == ["_SUCCESS", *(f"page-{n:06d}.json.gz" for n in range(1, 6))]
    asked = {"kind": "all", "from": "2026-01-05T06:00:00Z", "to": "2026-01-05T07:00:00Z", "limit": "10"}
    assert api.seen[0] == asked
    assert api.seen[1] == {**asked, "starting_after": "r009"}
    assert not poll.progress().exists()
    assert poll.waits == []


def test_a_complete_set_stays_until_its_marker_is_deleted(poll: Poll, api: rest_api.RestApi) -> None:
    poll.run()
    before = {name: b.generation for name, b in poll.objects().items()}
    api.records, requests = api.records[:5], len(api.seen)
    poll.run()
    assert {name: b.generation for name, b in poll.objects().items()} == before
    assert len(api.seen) == requests
    poll.objects()["_SUCCESS"].delete()
    poll.run()
    assert list(poll.objects()) == ["_SUCCESS", "page-000001.json.gz"]
    assert poll.landed() == ids(api)


def test_what_passes_is_tried_again(poll: Poll, api: rest_api.RestApi) -> None:
    busy = rest_api.status(429, headers={"Retry-After": "1"})
    date = format_datetime(datetime.now(tz=UTC) + timedelta(seconds=2), usegmt=True)
    late = rest_api.status(503, headers={"Retry-After": date})
    broken = [rest_api.status(500), rest_api.status(502), rest_api.reset, rest_api.cut]
    api.faults.extend([busy, None, late, None, *broken, None])
    started = datetime.now(tz=UTC)
    poll.run()
    assert poll.landed() == ids(api)
    assert len(api.seen) == 5 + 6
    assert datetime.now(tz=UTC) - started >= timedelta(seconds=1)
    assert poll.waits == []


def test_a_long_pause_gives_the_worker_back(
    poll: Poll, api: rest_api.RestApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "INLINE_SECONDS", 1.0)
    api.faults.extend([None, rest_api.status(429, headers={"Retry-After": "3"})])
    started = datetime.now(tz=UTC)
    poll.run()
    (wait,) = poll.waits
    assert 2 < (wait - started).total_seconds() < 60
    assert poll.landed() == ids(api)
    assert len(api.seen) == 5 + 1, "it went on from the page that had to wait"


def test_a_pause_beyond_the_bound_fails_the_try(poll: Poll, api: rest_api.RestApi) -> None:
    api.faults.append(rest_api.status(503, headers={"Retry-After": "86400"}))
    with pytest.raises(AirflowException, match=r"Retry-After: 86400 s(.|\n)*api-unreachable"):
        poll.run()


def test_an_api_that_is_down_fails_the_try_and_the_next_one_goes_on(
    poll: Poll, api: rest_api.RestApi
) -> None:
    api.faults.extend([None, None, *[rest_api.status(500, b"maintenance")] * rest.ATTEMPTS])
    with pytest.raises(AirflowException, match=r"HTTP 500 .*maintenance, the last of 6 attempts") as caught:
        poll.run()
    assert not isinstance(caught.value, AirflowFailException)
    assert "_SUCCESS" not in poll.objects()
    before = len(api.seen)
    poll.run()
    assert [q.get("starting_after") for q in api.seen[before:]] == ["r019", "r029", "r039"]
    assert poll.landed() == ids(api)


def test_an_expired_token_fails_at_once_and_a_new_one_goes_on(
    poll: Poll, api: rest_api.RestApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.faults.extend([None, None])
    secret = f"AIRFLOW_VAR_{poll_source.SECRET.upper()}"
    api.faults.append(rest_api.status(401, b'{"error": "expired"}'))
    with pytest.raises(AirflowFailException, match=r"HTTP 401 .*expired(.|\n)*api-unauthorized"):
        poll.run()
    assert len(api.seen) == 3
    monkeypatch.setenv(secret, f"{rest_api.TOKEN}\n")
    poll.run()
    assert len(api.seen) == 3 + 3
    assert poll.landed() == ids(api)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (rest_api.status(404, b"no such list"), "HTTP 404 .*no such list(.|\n)*api-refused"),
        (rest_api.status(302, b"", {"Location": "https://evil.example/"}), "redirects to https://evil"),
    ],
    ids=["not found", "redirect"],
)
def test_what_stays_wrong_fails_at_once(
    poll: Poll, api: rest_api.RestApi, fault: rest_api.Fault, said: str
) -> None:
    api.faults.append(fault)
    with pytest.raises(AirflowFailException, match=said):
        poll.run()
    assert len(api.seen) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"<html>Sign in</html>", "no JSON.*<html>Sign in"), (b'{"rows": []}', "no list at 'data'.*rows")],
)
def test_a_200_that_is_no_page_says_so(poll: Poll, api: rest_api.RestApi, body: bytes, said: str) -> None:
    api.faults.append(rest_api.status(200, body))
    with pytest.raises(AirflowException, match=rf"{said}(.|\n)*api-unreadable"):
        poll.run()
    assert poll.objects() == {}


def test_a_missing_secret_is_named_with_how_to_create_it(
    poll: Poll, api: rest_api.RestApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(f"AIRFLOW_VAR_{poll_source.SECRET.upper()}")
    said = rf"no secret '{poll_source.SECRET}'(.|\n)*airflow variables set {poll_source.SECRET}"
    with pytest.raises(AirflowFailException, match=said):
        poll.run()
    assert api.seen == []


def test_a_killed_try_resumes_without_losing_or_doubling_a_page(poll: Poll, api: rest_api.RestApi) -> None:
    go_on, arrived = threading.Event(), threading.Event()
    api.faults.extend([None, None, rest_api.hang(go_on, arrived)])
    command = [sys.executable, "tests/integration/poll_source.py", str(poll.include), poll.source_id]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    victim = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        assert arrived.wait(90)
    finally:
        victim.kill()
        victim.wait()
        go_on.set()
    assert poll.landed() == ids(api)[:20]
    # Killed once more, between a page and its progress: the page is written again, over itself.
    kept = poll.progress().download_as_text()
    api.faults.extend([None, rest_api.status(404)])
    with pytest.raises(AirflowFailException):
        poll.run()
    assert poll.landed() == ids(api)[:30]
    poll.progress().upload_from_string(kept)
    poll.run()
    assert poll.landed() == ids(api)


def test_an_open_partition_is_asked_again_until_it_has_closed(poll: Poll, api: rest_api.RestApi) -> None:
    now = datetime.now(tz=UTC)
    partition = Partition.last_ended(now, Grain.HOUR)
    closes_in = (now - partition.end) + timedelta(seconds=15)
    poll.configure(poll_interval="3s", completeness={"close_after": f"{int(closes_in.total_seconds())}s"})
    everything, api.records = api.records, api.records[:13]

    def grow(_: rest_api.Handler) -> bool:
        api.records = everything
        return False

    api.faults.extend([None, None, grow])  # at the second round's first request
    result = poll.run(partition)
    assert result["items"] == 45
    assert len(poll.waits) >= 2
    assert datetime.now(tz=UTC) >= partition.end + timedelta(seconds=int(closes_in.total_seconds()))
    assert [q.get("starting_after") for q in api.seen[:3]] == [None, "r009", "r009"], "the last page may grow"


def test_an_api_that_lists_the_newest_first_is_asked_once_after_closing(
    poll: Poll, api: rest_api.RestApi
) -> None:
    now = datetime.now(tz=UTC)
    partition = Partition.last_ended(now, Grain.HOUR)
    closes_in = int(((now - partition.end) + timedelta(seconds=15)).total_seconds())
    pagination = {"cursor": "starting_after", "more": "has_more", "order": "newest_first"}
    poll.configure(pagination=pagination, completeness={"close_after": f"{closes_in}s"})
    poll.run(partition)
    (wait,) = poll.waits
    assert abs(wait - partition.end - timedelta(seconds=closes_in)) < timedelta(seconds=2)
    assert len(api.seen) == 5


@pytest.mark.parametrize(
    ("on_empty", "error"), [("fail", AirflowFailException), ("skip", AirflowSkipException), ("accept", None)]
)
def test_an_empty_partition_follows_on_empty(
    poll: Poll, api: rest_api.RestApi, on_empty: str, error: type[Exception] | None
) -> None:
    api.records = []
    poll.configure(on_empty=on_empty)
    if error is not None:
        with pytest.raises(error, match="no records"):
            poll.run()
        assert poll.objects() == {}
        return
    assert poll.run()["items"] == 0
    assert list(poll.objects()) == ["_SUCCESS"]


def test_other_settings_start_over(poll: Poll, api: rest_api.RestApi) -> None:
    api.faults.extend([None, None, rest_api.status(404)])
    with pytest.raises(AirflowFailException):
        poll.run()
    pagination = {"cursor": "starting_after", "more": "has_more", "page_size": {"limit": 30}}
    poll.configure(pagination=pagination)
    assert poll.run()["objects"] == 2
    assert poll.landed() == ids(api)
