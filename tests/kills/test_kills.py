"""A handful of the kill matrix; `make kill-matrix` runs all of it. The tests are one story, in this order.

The features are pushed as a snapshot here, whose readers follow one pointer; in the matrix entity by entity.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import groupby, product
from typing import Self

import pytest

from local.cloud import Cloud
from tests.kills.hour import Hour
from tests.kills.setting import first_run_done
from tests.kills.story import Story

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]


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
    with first_run_done(cloud, tmp_path_factory.mktemp("kills"), snapshot=True) as found:
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
    shown = [cell.shown["silver"] for cell in story.cells[begin:]]
    assert shown == sorted(shown, reverse=True)
    assert len(shown) == 2


def test_readers_see_one_push_or_the_other_whoever_is_killed(story: Story) -> None:
    story.heal("serve.refresh_github_hourly_events")
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
