"""The cloud, the warm Airflow and the one source that the kills work on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
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
def with_sources(folder: Path, *sources: str, changes: Mapping[str, str] = {}) -> Iterator[Path]:
    """The product's include folder with few sources in it: a parse takes a twentieth of the time.

    Args:
        folder: Gets the include folder.
        sources: The sources' ids.
        changes: Texts of their files that are to be others.
    """
    include = folder / "include"
    (include / "sources").mkdir(parents=True)
    for entry in (ROOT / "include").iterdir():
        if entry.name != "sources":
            (include / entry.name).symlink_to(entry)
    for source in sources:
        text = (ROOT / "include" / "sources" / f"{source}.yaml").read_text("utf-8")
        for old, new in changes.items():
            assert old in text, f"{source}.yaml has no {old!r}"
            text = text.replace(old, new)
        (include / "sources" / f"{source}.yaml").write_text(text, "utf-8")
    before = os.environ.get("HOURGLASS_INCLUDE")
    os.environ["HOURGLASS_INCLUDE"] = str(include)
    try:
        yield include
    finally:
        os.environ.pop("HOURGLASS_INCLUDE")
        if before is not None:
            os.environ["HOURGLASS_INCLUDE"] = before


@contextmanager
def warm(cloud: Cloud, folder: Path, snapshot: bool = False) -> Iterator[WarmAirflow]:
    """A warm Airflow with the one source.

    Args:
        cloud: A running cloud; os.environ points at it.
        folder: An empty folder.
        snapshot: Push the features in snapshot mode.
    """
    changes = {"[github_actor]": "[{name: github_actor, mode: snapshot}]"} if snapshot else {}
    cloud.airflow.prepare(cloud.environment())
    log = folder / "airflow.log"
    with with_sources(folder, SOURCE, changes=changes), WarmAirflow(dict(os.environ), log) as airflow:
        yield airflow


@contextmanager
def first_run_done(cloud: Cloud, folder: Path, key: str = KEY, snapshot: bool = False) -> Iterator[Story]:
    """A story whose hour is published in its version A.

    Args:
        cloud: A running cloud; os.environ points at it.
        folder: An empty folder.
        key: The hour.
        snapshot: Push the features in snapshot mode.
    """
    with warm(cloud, folder, snapshot) as airflow, FaultProxy(dict(os.environ)) as proxy:
        story = Story(cloud, airflow, proxy, Hour(key, folder))
        story.first_run()
        yield story
