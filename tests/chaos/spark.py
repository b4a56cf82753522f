"""Killing the Spark driver of a local cloud."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import psutil

from local import processes
from tests.chaos.warm import Call


def drivers(cloud: Path) -> list[psutil.Process]:
    """The processes of running Spark drivers, JVM and Python."""
    every = processes.of_instance(cloud)
    others = {p.pid for p in processes.without_drivers(every)}
    return [p for p in every if p.pid not in others]


def kill_driver(cloud: Path, call: Call, seconds: float) -> bool:
    """Wait for a driver while a call runs, and kill it some time after it was first seen.

    Args:
        cloud: The folder of the local cloud.
        call: The call that starts it.
        seconds: How long it may live.

    Returns:
        Whether there was one.
    """
    while call.process.is_alive():
        if drivers(cloud):
            time.sleep(seconds)
            found = drivers(cloud)
            for process in found:
                with suppress(psutil.NoSuchProcess):  # it may end with the one before it
                    process.kill()
            return bool(found)
        time.sleep(0.2)
    return False
