"""Which batches nobody waits for."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from hourglass.operators.orphans import given_up, task_of_batch
from hourglass.partition import Grain

SOURCES: Any = {"github": SimpleNamespace(grain=Grain.HOUR)}


@pytest.mark.parametrize(
    ("states", "orphaned"),
    [
        ([], True),
        (["failed"], True),
        (["success", "upstream_failed"], True),
        (["deferred"], False),
        (["running"], False),
        (["up_for_retry"], False),
        ([None], False),
        (["failed", "queued"], False),
    ],
)
def test_a_batch_is_an_orphan_when_no_task_will_attach_to_it(
    states: list[str | None], orphaned: bool
) -> None:
    assert given_up(states) is orphaned


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (
            ["gs://ops/specs/github/2021-07-21T06/b.json"],
            ("github", datetime(2021, 7, 21, 6, tzinfo=UTC), "refine.run"),
        ),
        (
            ["gs://ops/pushes/github/actor/2021-07-21T06/000002/spec.json"],
            ("github", datetime(2021, 7, 21, 6, tzinfo=UTC), "serve.push_actor"),
        ),
        (["gs://ops/specs/elsewhere/2021-07-21T06/b.json"], None),
        (["gs://ops/specs/github/trial-7/b.json"], None),
        (["7", "lake.silver.github"], None),
        ([], None),
    ],
)
def test_the_name_of_the_spec_tells_the_partition_and_the_task(arguments: list[str], found: Any) -> None:
    batch: Any = SimpleNamespace(pyspark_batch=SimpleNamespace(args=arguments))
    assert task_of_batch(batch, SOURCES) == found
