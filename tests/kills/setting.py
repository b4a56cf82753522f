"""The cloud, the warm Airflow and the one source that the kills work on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local.cloud import Cloud
from tests.chaos.warm import WarmAirflow
from tests.faults.proxy import FaultProxy
from tests.kills.hour import SOURCE, Hour
from tests.kills.story import Story

ROOT = Path(__file__).resolve().parents[2]
KEY = "2021-07-23T06"


@contextmanager
def one_source(folder: Path) -> Iterator[Path]:
    """The product's include folder with one source in it: a parse takes a twentieth of the time."""
    include = folder / "include"
    (include / "sources").mkdir(parents=True)
    for entry in (ROOT / "include").iterdir():
        if entry.name != "sources":
            (include / entry.name).symlink_to(entry)
    (include / "sources" / f"{SOURCE}.yaml").symlink_to(ROOT / "include" / "sources" / f"{SOURCE}.yaml")
    before = os.environ.get("HOURGLASS_INCLUDE")
    os.environ["HOURGLASS_INCLUDE"] = str(include)
    try:
        yield include
    finally:
        os.environ.pop("HOURGLASS_INCLUDE")
        if before is not None:
            os.environ["HOURGLASS_INCLUDE"] = before


@contextmanager
def warm(cloud: Cloud, folder: Path, say: Callable[[str], None] = print) -> Iterator[WarmAirflow]:
    """A warm Airflow with the one source.

    Args:
        cloud: A running cloud; os.environ points at it.
        folder: An empty folder.
        say: Takes a line while Airflow's database is made.
    """
    cloud.airflow.prepare(cloud.environment(), say)
    with one_source(folder), WarmAirflow(dict(os.environ), folder / "airflow.log") as airflow:
        yield airflow


@contextmanager
def first_run_done(cloud: Cloud, folder: Path, say: Callable[[str], None] = print) -> Iterator[Story]:
    """A story whose hour is published in its version A.

    Args:
        cloud: A running cloud; os.environ points at it.
        folder: An empty folder.
        say: Takes a line for each kill.
    """
    with warm(cloud, folder, say) as airflow, FaultProxy(dict(os.environ)) as proxy:
        story = Story(cloud, airflow, proxy, Hour(KEY, folder), say)
        story.first_run()
        yield story
