"""Runs of DAGs without the start of Airflow: an interpreter that has everything imported forks one process a call.

    with WarmAirflow(cloud.environment(), folder / "airflow.log") as airflow:
        airflow.call("schedule", dag_id="github", starts=[start])
        runs = airflow.call("settle")

A call may be killed by its process id at any moment; see scheduler.py for what there is to call.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, Self

from tests.chaos import scheduler

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 1200.0  # a run takes a minute; five on a machine that does ten other things
_TAIL = 6000  # characters of the log in an error


class KilledError(RuntimeError):
    """The process of a call was killed before it answered."""


class CallError(RuntimeError):
    """The call raised; the text is the trace, and the end of the log."""


@dataclass
class Call:
    """A call under way.

    Args:
        process: The forked process.
        answer: Where its answer comes from.
        log: The file of its output.
    """

    process: ForkServerProcess
    answer: Connection
    log: Path

    @property
    def pid(self) -> int:
        """The id of the process, to be killed by."""
        assert self.process.pid is not None
        return self.process.pid

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send the process a signal."""
        os.kill(self.pid, number)

    def result(self, seconds: float = TIMEOUT_SECONDS) -> Any:
        """Wait for the answer.

        Raises:
            KilledError: The process died before.
            CallError: The function raised.
            TimeoutError: It did not answer in time; it is killed.
        """
        try:
            if not self.answer.poll(seconds):
                self.process.kill()
                raise TimeoutError(f"no answer within {seconds:.0f} s; the log ends:\n{self._tail()}")
            what, value = self.answer.recv()
        except (EOFError, ConnectionResetError):
            self.process.join(30)
            raise KilledError(f"ended with {self.process.exitcode}") from None
        finally:
            self.process.join(30)
        if what == "raised":
            raise CallError(f"{value}\nthe log ends:\n{self._tail()}")
        return value

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-_TAIL:]


class WarmAirflow:
    """An Airflow of a local cloud, imported once.

    One of them at a time: Python keeps one fork server for a process.

    Args:
        environment: The whole environment of a command within the cloud, with HOURGLASS_INCLUDE where it is not the
            product's own.
        log: The file that the calls' output is added to.
    """

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        path = os.pathsep.join([str(ROOT), str(ROOT / "plugins")])
        self.environment = {**environment, "HOURGLASS_WARM": str(log), "PYTHONPATH": path}
        self.log = log
        self._context = get_context("forkserver")

    def __enter__(self) -> Self:
        """Start the interpreter; it imports some 10 s, while the caller goes on."""
        from multiprocessing.forkserver import _forkserver

        before = dict(os.environ)
        os.environ.update(self.environment)
        try:
            self._context.set_forkserver_preload(["tests.chaos.preload"])
            _forkserver.ensure_running()
        finally:
            os.environ.clear()
            os.environ.update(before)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the interpreter."""
        from multiprocessing.forkserver import _forkserver

        _forkserver._stop()

    def start(self, name: str, environment: Mapping[str, str] | None = None, **arguments: Any) -> Call:
        """Begin a call.

        Args:
            name: A function of scheduler.py, or any other's `module:name`.
            environment: What differs from the environment, such as the address of a proxy.
            arguments: The function's arguments.
        """
        mine, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=scheduler.serve,
            args=({**self.environment, **(environment or {})}, str(self.log), theirs, name, arguments),
            daemon=True,
        )
        process.start()
        theirs.close()
        return Call(process, mine, self.log)

    def call(self, name: str, environment: Mapping[str, str] | None = None, **arguments: Any) -> Any:
        """Call a function of scheduler.py and wait for it; see `start` and `Call.result`."""
        return self.start(name, environment, **arguments).result()
