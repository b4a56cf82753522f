"""What the tests of a local cloud of their own ask of it."""

from __future__ import annotations

import time
from typing import Any

import psutil

from local import processes
from local.cloud import Cloud, Health


def working(cloud: Cloud, seconds: float = 120) -> list[Health]:
    """The parts as soon as all of them answer: a busy machine may keep one longer than a single look waits.

    Args:
        cloud: The instance.
        seconds: How long they may take; then they are given as they are.
    """
    deadline = time.monotonic() + seconds
    found = cloud.health()
    while not all(part.works for part in found) and time.monotonic() < deadline:
        time.sleep(0.5)
        found = cloud.health()
    return found


def addresses_listened_on(cloud: Cloud) -> set[str]:
    """The addresses on which the instance's processes wait for connections."""
    return {
        connection.laddr.ip.removeprefix("::ffff:")
        for process in processes.of_instance(cloud.layout.cloud)
        for connection in _sockets(process)
        if connection.status == psutil.CONN_LISTEN
    }


def _sockets(process: psutil.Process) -> list[Any]:
    try:
        return list(process.net_connections("tcp"))
    except psutil.NoSuchProcess:  # ended since it was listed, as Airflow's parsers of DAG files soon do
        return []
