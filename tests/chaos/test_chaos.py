"""Two sequences of the chaos test; `make chaos` plays more. See driver.py for what happens in one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import observe
from tests.chaos.chaos import chaos, report
from tests.chaos.driver import Sequence
from tests.chaos.state import World
from tests.chaos.world import partitions

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
SEEDS = (24, 44)  # a replaced and a late file; the task, Spark and the push are killed


@pytest.fixture(scope="module")
def world(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("chaos")
    with chaos(cloud, Path(folder), print) as made:
        yield made
        print(report(made))  # noqa: T201


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sequence_ends_as_one_clean_run_over_the_same_files(world: World, seed: int) -> None:
    Sequence(world, seed, partitions(SEEDS.index(seed), 2)).play(steps=1, every=False)


def test_tasks_cleared_one_by_one_publish_nothing_that_the_gate_has_not_seen(world: World) -> None:
    sequence = Sequence(world, 7, partitions(len(SEEDS), 1))
    (state,) = sequence.mine
    sequence.land(state)
    sequence.run(state)
    sequence.settle()
    before, row = state.published, observe.look().ledger[state.partition.start]
    sequence.land(state)

    sequence.clear(state, "sense.wait", "announce.record")
    (again,) = [observe.look().ledger[state.partition.start]]
    assert again["run_id"] == row["run_id"]
    assert again["manifest_hash"] == row["manifest_hash"], "the ledger names files that are not published"

    sequence.clear(state, "refine.run", "gate.load_silver", "publish.silver")
    (run,) = [r for r in sequence.runs() if r.logical_date == state.partition.start]
    assert run.tasks["publish.silver"] == "failed"
    observe.compare_silver(state.partition, before, observe.look())

    sequence.settle()
    assert state.published != before
