"""A handful of the kill matrix; `make kill-matrix` runs all of it. The tests are one story, in this order.

The features are pushed as a snapshot here, whose readers follow one pointer; in the matrix entity by entity.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby, product
from typing import Any, Self

import pytest
from google.cloud import bigquery

from hourglass.config import Platform
from hourglass.ledger.store import states
from local.cloud import Cloud
from tests.kills.hour import SOURCE, Hour
from tests.kills.setting import ROOT, first_run_done
from tests.kills.story import Story

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
SWEEPER = "hourglass_sweeper"


class Reader(threading.Thread):
    """Reads all features again and again, in the block that it is entered for.

    Args:
        hour: Whose features.
    """

    def __init__(self, hour: Hour) -> None:
        super().__init__(daemon=True)
        self.seen: list[str] = []
        self._hour, self._stop_reading = hour, threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_reading.set()
        self.join(30)

    def run(self) -> None:
        while not self._stop_reading.is_set():
            self.seen.append(self._hour.features())
            time.sleep(0.05)


@pytest.fixture(scope="module")
def story(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    eight_hours_ago = f"{datetime.now(tz=UTC) - timedelta(hours=8):%Y-%m-%dT%H}"  # its late window is over
    with first_run_done(cloud, tmp_path_factory.mktemp("kills"), eight_hours_ago, snapshot=True) as found:
        found.replace()
        yield found


def test_a_worker_killed_when_its_batch_was_created_attaches_to_it(story: Story) -> None:
    before = story.hour.batches()
    assert story.kill_worker("refine.run", "dataproc", 1, "after")
    (made,) = set(story.hour.batches()) - set(before)
    story.heal("refine.run")
    assert set(story.hour.batches()) - set(before) == {made}
    assert story.hour.batches()[made] == "SUCCEEDED"


def test_a_driver_killed_between_its_two_commits_is_followed_by_the_next_batch(story: Story) -> None:
    before = story.hour.batches()
    story.clear("refine.run")
    story.kill_driver_once("silver")
    made = {name: state for name, state in story.hour.batches().items() if name not in before}
    assert sorted(made.values()) == ["FAILED", "SUCCEEDED"]
    assert story.cells[-1].shown["silver"] == "old"


def test_readers_see_the_old_hour_until_the_copy_and_the_new_one_from_then_on(story: Story) -> None:
    for task in ("gate.account", "gate.validate"):
        story.heal(task)
    begin = len(story.cells)
    story.kill_workers("publish.silver")
    # The quarantine's copy runs beside it, and may have been the one that asked first.
    shown = [cell.shown["silver"] for cell in story.cells[begin:] if cell.task == "publish.silver"]
    assert shown == ["old", "new"]


def test_readers_see_one_push_or_the_other_whoever_is_killed(story: Story) -> None:
    for task in ("transform.fct_github_events_model_build", "transform.fct_github_repo_daily_model_build"):
        story.heal(task)
    with Reader(story.hour) as reader:
        for number, when in product((1, 2), ("before", "after")):
            assert story.kill_worker("serve.push_github_actor", "bigtable", number, when)
        story.heal("serve.push_github_actor")
    assert len(reader.seen) > 20
    assert [seen for seen, _ in groupby(reader.seen)] == ["A", "B"]


def test_a_killed_bigquery_is_waited_for_and_nothing_is_lost(story: Story) -> None:
    story.kill_service("announce.record", "bigquery", "before")
    assert story.cells[-1].victim == "bigquery"
    story.finish()


def test_the_command_that_the_ledger_names_takes_in_an_overdue_file(story: Story) -> None:
    story.version = "A"
    story.hour.land("A")
    story.airflow.call("schedule", dag_id=SWEEPER, starts=[story.hour.start])
    story.airflow.call("settle")
    assert ledger_row(story.hour)["state"] == "overdue"
    assert set(story.hour.tables().values()) == {"B"}

    (warning,) = json.loads(ledger_row(story.hour)["warnings"])
    run_command(warning.partition("To take them in: ")[2])
    story.airflow.call("settle", dag_id=SOURCE)
    story.check("A")
    row, expected = ledger_row(story.hour), story.hour.expected["A"]
    counts = (row["lines"], row["published_rows"], row["quarantined"])
    assert row["state"] == "published"
    assert counts == (expected.lines, len(expected.silver), expected.quarantined.total())


def ledger_row(hour: Hour) -> dict[str, Any]:
    client = bigquery.Client(location="US")
    end = hour.start + timedelta(minutes=59)
    (row,) = states(client, Platform.from_env(), SOURCE, hour.start, end)
    return row


def run_command(command: str) -> None:
    done = subprocess.run(
        shlex.split(command), capture_output=True, text=True, check=False, timeout=300, cwd=ROOT
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
