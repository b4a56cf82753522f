"""What all tests share: one local cloud for the session, and clients that speak to it.

Imports inside the fixtures: tests/spark runs in an environment that has none of these packages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from google.cloud import bigquery, bigtable, storage

    from local.cloud import Cloud

ROOT = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"cloud", "own_cloud"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("cloud")


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
