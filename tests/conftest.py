"""What all tests share: one local cloud for the session, and clients that speak to it.

Imports inside the fixtures: tests/spark runs in an environment that has few of these packages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from google.cloud import bigquery, bigtable, storage
    from xdist.scheduler import LoadFileScheduling

    from local.cloud import Cloud

ROOT = Path(__file__).resolve().parents[1]
# The lanes of `make test` take files in this order, so that no long one begins when the others have ended.
LONGEST_FIRST = (
    "e2e/test_sources.py",
    "e2e/test_incident.py",
    "chaos/test_chaos.py",
    "warehouse/",
    "e2e/",
    "integration/test_daily.py",
    "integration/test_compile.py",
)

# The time an example takes tells more of what else the machine does than of the code.
settings.register_profile("hourglass", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hourglass")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"cloud", "own_cloud"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("cloud")
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    """When an item's file begins; items of one file stay together."""
    path = item.path.relative_to(ROOT / "tests").as_posix()
    return next((n for n, begin in enumerate(LONGEST_FIRST) if path.startswith(begin)), len(LONGEST_FIRST))


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    """One lane takes all files that share the build of the session's fixture `business`, which costs minutes."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class OneBuild(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            path = ROOT / file
            shared = path.parent.name == "warehouse" and "business: Built" in path.read_text("utf-8")
            return "tests/warehouse: business" if shared else file

    return OneBuild(config, log)


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    """The session's own local cloud, without Airflow's components; os.environ points at it."""
    import fcntl
    import shutil

    folder = ROOT / ".local" / "test-cloud"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_name("test-cloud.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another session of this machine uses it
            folder = folder.with_name(f"test-cloud-{os.getpid()}")
        yield from running_cloud(folder)
    if folder.name != "test-cloud":
        shutil.rmtree(folder)


def running_cloud(folder: Path) -> Iterator[Cloud]:
    """Start an empty instance, put its variables into os.environ, and stop it with all its processes."""
    import shutil

    from local import processes
    from local.cloud import Cloud
    from local.layout import Layout

    said: list[str] = []
    before = dict(os.environ)
    Cloud(Layout(ROOT, folder), said.append).down()
    shutil.rmtree(folder, ignore_errors=True)
    instance = Cloud(Layout(ROOT, folder), said.append)
    try:
        instance.up()
        os.environ.update(instance.environment())
        yield instance
    finally:
        instance.down()
        os.environ.clear()
        os.environ.update(before)
    left = processes.of_instance(folder)
    assert not left, f"these processes outlived the local cloud: {left}"


@contextmanager
def variables_of(cloud: Cloud) -> Iterator[None]:
    """The cloud's own variables, which a fault proxy may have replaced while a client is made for the session."""
    before = dict(os.environ)
    os.environ.update(cloud.environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def storage_client(cloud: Cloud) -> storage.Client:
    from google.cloud import storage

    with variables_of(cloud):
        return storage.Client()


@pytest.fixture(scope="session")
def bigquery_client(cloud: Cloud) -> bigquery.Client:
    from google.cloud import bigquery

    with variables_of(cloud):
        return bigquery.Client()


@pytest.fixture(scope="session")
def bigtable_client(cloud: Cloud) -> bigtable.Client:
    from google.cloud import bigtable

    with variables_of(cloud):
        return bigtable.Client(project=os.environ["HOURGLASS_PROJECT"], admin=True)
