"""What a kill hits: a local service, or the processes of a Spark driver. SIGKILL, by process id."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from local.cloud import Cloud

MARK = "HOURGLASS_BATCH_FOLDER"  # in the environment of every process of a driver


def kill_service(cloud: Cloud, name: str) -> int:
    """Kill a part of the local cloud; its supervisor starts it again. Its process id."""
    pid = cloud._supervisor.states()[name].pid
    os.kill(pid, signal.SIGKILL)
    return pid


def drivers(cloud: Cloud) -> list[psutil.Process]:
    """The processes of every Spark driver of a cloud."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(MARK, "").startswith(str(cloud.layout.data)):
                found.append(process)
    return found


def kill_driver(cloud: Cloud) -> int:
    """Kill the Java process of the driver that runs; the shell around it lives, as Dataproc's agent does."""
    killed = [p for p in drivers(cloud) if "java" in p.name()]
    for process in killed:
        process.kill()
    return len(killed)


class AtPhase(threading.Thread):
    """Acts once, as soon as the newest driver says that it has done a phase.

    Args:
        cloud: The cloud.
        phase: A phase of refine.py, such as `read`; `start` for the driver's first line.
        act: What to do.
        seconds: When to give up.
    """

    def __init__(self, cloud: Cloud, phase: str, act: Callable[[], object], seconds: float = 240) -> None:
        super().__init__(daemon=True)
        self.acted = False
        self.error: AssertionError | None = None
        self._logs, self._phase, self._act, self._seconds = cloud.layout.logs, phase, act, seconds
        self._known = set(self._batches())

    def run(self) -> None:
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline:
            for log in self._batches() - self._known:
                said = log.read_text(errors="replace")
                if said if self._phase == "start" else f"| {self._phase}:" in said:
                    try:
                        self._act()
                        self.acted = True
                    except AssertionError as error:  # the test's own thread raises it
                        self.error = error
                    return
            time.sleep(0.02)

    def _batches(self) -> set[Path]:
        return set(self._logs.glob("dataproc-refine-*.log"))
