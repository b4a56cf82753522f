"""Where the process that runs DAGs kills itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kill:
    """Where a process kills itself.

    Args:
        task: The task.
        when: `before` the task runs, `inside` it after some seconds, `unsaid` when it has done its work and not told
            Airflow, `after` it, or `trigger`, while it is deferred.
        seconds: How long after its start, with `inside` and `trigger`.
        attempt: At which of the task's executions in the process; one that was deferred has two.
    """

    task: str
    when: str
    seconds: float = 0.0
    attempt: int = 1


class Plan:
    """Kills this process where it was told to."""

    def __init__(self, kill: Kill | None) -> None:
        self.kill = kill
        self.done: set[str] = set()
        self._seen: dict[tuple[str, str], int] = {}
        self._now = ""

    def at(self, task: str, when: str) -> None:
        """A point in a task's life is reached."""
        if when == "before":
            self._now = task
            self._due(task, "inside")
        if when == "after":
            self.done.add(task)
        self._due(task, when)

    def _due(self, task: str, when: str) -> None:
        kill = self.kill
        if kill is None or (kill.task, kill.when) != (task, when):
            return
        self._seen[task, when] = self._seen.get((task, when), 0) + 1
        if self._seen[task, when] != kill.attempt:
            return
        if when in ("inside", "trigger"):
            threading.Thread(target=_die, args=(kill.seconds,), daemon=True).start()
        else:
            _die(0)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look for the moment at which a task reports its success."""
        from airflow.sdk.execution_time import comms, supervisor

        original = supervisor.InProcessTestSupervisor._handle_request

        def handle(found: Any, message: Any, *rest: Any) -> None:
            if isinstance(message, comms.SucceedTask):
                self._due(self._now, "unsaid")
            original(found, message, *rest)

        supervisor.InProcessTestSupervisor._handle_request = handle
        try:
            yield
        finally:
            supervisor.InProcessTestSupervisor._handle_request = original


def _die(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)
