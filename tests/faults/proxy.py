"""A proxy in front of the local cloud that fails on demand: answers, resets, lost answers, silence, delays.

    with FaultProxy() as proxy:
        proxy.add(Rule("gcs", "answer", path="/upload/", status=503, headers={"Retry-After": "1"}))
        proxy.add(Rule("bigtable", "lose", path="MutateRows", first=2))
        proxy.add(Rule("iceberg", path="/tables/", method="POST"), before=lambda request: os.kill(pid, 9))
        ...
        proxy.seen("bigquery", path="/jobs")

Within it the variables that name the services' endpoints name the proxy's, for this process and those it starts.
The proxy is a process of its own, so its owner may fork. Two things go past it: what the services ask of each
other (BigQuery and Spark read GCS directly), and processes that had read the variables before.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.faults.rules import Rule, Seen

VARIABLES = {
    "gcs": "STORAGE_EMULATOR_HOST",
    "bigquery": "BIGQUERY_EMULATOR_HOST",
    "iceberg": "HOURGLASS_ICEBERG_URI",
    "transfer": "STORAGETRANSFER_EMULATOR_HOST",
    "bigtable": "BIGTABLE_EMULATOR_HOST",
    "dataproc": "DATAPROC_EMULATOR_HOST",
}
KEY = "GOOGLE_APPLICATION_CREDENTIALS"
ROOT = Path(__file__).resolve().parents[2]
Hook = Callable[[Seen], None]


class FaultProxy:
    """The proxy; a context manager.

    Args:
        environment: Names the services and is given the proxy's endpoints; os.environ unless told otherwise.
    """

    def __init__(self, environment: Any = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._hooks: dict[int, Hook] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.variables: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="hourglass-faults-")
        self._before = dict(self._environment)
        upstream = {s: _address(self._before[v]) for s, v in VARIABLES.items() if self._before.get(v)}
        key = _key(self._before)
        if key:
            upstream["credentials"] = _address(key["token_uri"])
        self._control, theirs = Pipe()
        self._events, their_events = Pipe()
        fds = (theirs.fileno(), their_events.fileno())
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.faults.process", *map(str, fds), json.dumps(upstream)]
        self._process = subprocess.Popen(command, pass_fds=fds, env=environment, cwd=ROOT)
        theirs.close()
        their_events.close()
        ports: dict[str, int] = self._control.recv()
        threading.Thread(target=self._serve_hooks, args=(self._events,), daemon=True).start()
        self.variables = {
            VARIABLES[s]: _with_port(self._before[VARIABLES[s]], p)
            for s, p in ports.items()
            if s in VARIABLES
        }
        if key:
            file = Path(self._folder.name) / "key.json"
            file.write_text(
                json.dumps({**key, "token_uri": _with_port(key["token_uri"], ports["credentials"])})
            )
            self.variables[KEY] = str(file)
        self._environment.update(self.variables)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._environment.update({name: self._before[name] for name in self.variables})
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def add(self, rule: Rule, *, before: Hook | None = None, after: Hook | None = None) -> int:
        """Add a rule; of several that cover a request the first added decides.

        Args:
            rule: The rule.
            before: Called before the service hears of a request that the rule covers; the request waits for it.
            after: Called once the service has answered, before the client has the answer.

        Returns:
            Its number, for `remove` and in `Seen.rule`.
        """
        number = next(self._numbers)
        hook = before or after
        if hook:
            self._hooks[number] = hook
        self._ask("add", number, asdict(rule), "before" if before else "after" if after else None)
        return number

    def remove(self, number: int) -> None:
        """Take a rule out."""
        self._ask("remove", number)

    def clear(self) -> None:
        """Take all rules out, and forget what passed."""
        self._ask("clear")

    def seen(self, service: str | None = None, path: str = "", method: str = ".*") -> list[Seen]:
        """The requests that came since the last `clear`, in their order.

        Args:
            service: Only this service's.
            path: Only those whose path this regular expression finds something in.
            method: Only those whose method this regular expression matches as a whole.
        """
        found = [Seen(**values) for values in self._ask("seen")]
        wanted = Rule(service or "gcs", path=path, method=method)
        return [s for s in found if (not service or s.service == service) and wanted.matches_place(s)]

    def _ask(self, *message: Any) -> Any:
        with self._lock:
            self._control.send(message)
            return self._control.recv()

    def _serve_hooks(self, events: Connection) -> None:
        while True:
            try:
                number, values = events.recv()
            except (EOFError, OSError):
                return
            try:
                self._hooks[number](Seen(**values))
            finally:
                events.send(None)


def _key(environment: Any) -> dict[str, str] | None:
    """The service account's key, where the environment names one whose token endpoint is local."""
    file = Path(environment.get(KEY) or "-")
    key: dict[str, str] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return key if key.get("token_uri", "").startswith("http://127.0.0.1:") else None


def _address(url: str) -> str:
    return url.removeprefix("http://").partition("/")[0]


def _with_port(url: str, port: int) -> str:
    old = _address(url)
    return url.replace(old, f"{old.partition(':')[0]}:{port}", 1)
