"""A handful of the kill matrix; `make kill-matrix` runs all of it. The tests are one story, in this order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.cloud import Cloud
from tests.kills.setting import first_run_done
from tests.kills.story import Story

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]


@pytest.fixture(scope="module")
def story(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with first_run_done(cloud, tmp_path_factory.mktemp("kills")) as found:
        found.replace()
        yield found


def test_a_worker_killed_when_its_batch_was_created_attaches_to_it(story: Story) -> None:
    before = story.batches()
    assert story.kill_worker("refine.run", "dataproc", 1, "after")
    (made,) = set(story.batches()) - set(before)
    story.heal("refine.run")
    assert set(story.batches()) - set(before) == {made}
    assert story.batches()[made] == "SUCCEEDED"


def test_a_driver_killed_between_its_two_commits_is_followed_by_the_next_batch(story: Story) -> None:
    before = story.batches()
    story.clear("refine.run")
    story.kill_driver_once("silver")
    made = {name: state for name, state in story.batches().items() if name not in before}
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


def test_a_push_that_is_cut_off_is_done_again(story: Story) -> None:
    story.heal("serve.refresh_github_hourly_events")
    for when in ("before", "after"):
        assert story.kill_worker("serve.push_github_actor", "bigtable", 1, when)


def test_a_killed_bigquery_is_waited_for_and_nothing_is_lost(story: Story) -> None:
    story.kill_service("announce.record", "bigquery", "before")
    assert story.cells[-1].victim == "bigquery"
    story.finish()
