"""Supervisord for one instance: its configuration, its life, and what it says of the parts.

Each part is a small shell script in <cloud>/run/parts, so that a person can start it by hand, and so that
paths and values with quotes, blanks or percent signs never meet supervisord's own syntax.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from xmlrpc.client import Fault, ServerProxy

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport  # type: ignore[import-untyped]

from local.errors import LocalCloudError
from local.layout import Layout
from local.parts import Part
from local.processes import MARK

_RUNNING_STATES = ("STARTING", "RUNNING")
_LONGEST_SOCKET = 100  # sun_path holds 108 bytes on Linux, 104 on macOS
_START_SECONDS = 15.0
_STOP_SECONDS = 10.0


@dataclass(frozen=True)
class State:
    """What supervisord says of one part."""

    name: str
    state: str
    pid: int
    seconds: int
    problem: str

    @property
    def runs(self) -> bool:
        """It has a process, which may be starting."""
        return self.state in _RUNNING_STATES


class Supervisor:
    """The supervisord of one instance.

    Args:
        layout: the instance's folders.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._config = layout.run / "supervisord.conf"
        self._socket_name, self._socket = _socket_file(layout.cloud)

    def _rpc(self) -> Any:
        transport = SupervisorTransport("", "", f"unix://{self._socket}")
        return cast(Any, ServerProxy("http://127.0.0.1", transport=transport)).supervisor

    def pid(self) -> int | None:
        """Its process id, or None when it does not run."""
        if not self._socket.exists():
            return None
        try:
            return int(self._rpc().getPID())
        except (OSError, Fault):
            return None

    def states(self) -> dict[str, State]:
        """Every part it knows, by name; nothing when it does not run."""
        if self.pid() is None:
            return {}
        return {
            info["name"]: State(
                info["name"],
                info["statename"],
                info["pid"],
                info["now"] - info["start"] if info["statename"] in _RUNNING_STATES else 0,
                info["spawnerr"],
            )
            for info in self._rpc().getAllProcessInfo()
        }

    def apply(self, parts: Iterable[Part]) -> None:
        """Make exactly these parts run: start, restart with a changed command, or take away.

        Args:
            parts: everything that should run.

        Raises:
            LocalCloudError: supervisord itself does not start.
        """
        self._write(list(parts))
        if self.pid() is None:
            self._start()
            return
        rpc = self._rpc()
        added, changed, removed = rpc.reloadConfig()[0]
        for name in [*changed, *removed]:
            rpc.stopProcessGroup(name)
            rpc.removeProcessGroup(name)
        for name in [*changed, *added]:
            rpc.addProcessGroup(name)
        for state in self.states().values():
            if state.state in ("STOPPED", "EXITED", "FATAL"):
                _start_part(rpc, state.name)

    def stop(self) -> None:
        """Stop every part and then supervisord itself; returns when it is gone."""
        pid = self.pid()
        if pid is None:
            return
        rpc = self._rpc()
        rpc.stopAllProcesses()
        rpc.shutdown()
        with suppress(psutil.Error):  # a supervisor that does not end is left to the caller, who counts it
            psutil.Process(pid).wait(_STOP_SECONDS)

    def _start(self) -> None:
        self._socket.unlink(missing_ok=True)
        environment = {**os.environ, MARK: str(self._layout.cloud)}
        done = subprocess.run(
            [str(self._layout.python), "-m", "supervisor.supervisord", "-c", str(self._config)],
            env=environment,
            cwd=self._layout.cloud,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        deadline = time.monotonic() + _START_SECONDS
        while done.returncode == 0 and time.monotonic() < deadline:
            if self.pid() is not None:
                return
            time.sleep(0.02)
        said = (done.stdout + done.stderr).strip() or "nothing"
        raise LocalCloudError(
            f"the supervisor did not start; it said: {said}\n"
            f"Read {self._layout.log('supervisord')}, then try `make down up`."
        )

    def _write(self, parts: list[Part]) -> None:
        folder = self._layout.run / "parts"
        folder.mkdir(parents=True, exist_ok=True)
        self._layout.logs.mkdir(parents=True, exist_ok=True)
        sections = [self._head()]
        for part in parts:
            script = (
                "#!/bin/sh\n"
                f"# The supervisor's way to start {part.name}; it also works by hand.\n"
                f". {shlex.quote(str(self._layout.cloud / 'env'))}\n"
                f"export {MARK}={shlex.quote(str(self._layout.cloud))}\n"
                f"cd {shlex.quote(str(self._layout.root))} || exit 1\n"
                f"exec {shlex.join(part.command)}\n"
            )
            (folder / f"{part.name}.sh").write_text(script)
            seen = script + (self._layout.cloud / "env").read_text()
            sections.append(_section(part, hashlib.sha256(seen.encode()).hexdigest()[:16]))
        self._config.write_text("\n".join(sections))

    def _head(self) -> str:
        # Relative paths: they start at <cloud>, where supervisord runs.
        user = "user=root\n" if os.geteuid() == 0 else ""
        return (
            "; Written by `make up`; changes here are lost.\n"
            f"[supervisord]\n{user}logfile=logs/supervisord.log\npidfile=run/supervisord.pid\n"
            "logfile_maxbytes=5MB\nlogfile_backups=1\n"
            f"[unix_http_server]\nfile={self._socket_name}\nchmod=0600\n"
            "[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        )


def _start_part(rpc: Any, name: str) -> None:
    try:
        rpc.startProcess(name, False)
    except Fault as fault:
        # The supervisor itself starts what has ended, and may have been quicker.
        if fault.faultCode != Faults.ALREADY_STARTED:
            raise


def _section(part: Part, fingerprint: str) -> str:
    return (
        f"[program:{part.name}]\n"
        f"command=/bin/sh run/parts/{part.name}.sh\n"
        # Not read by anyone: supervisord restarts a part whose section differs.
        f'environment=HOURGLASS_PART_FINGERPRINT="{fingerprint}"\n'
        "autorestart=true\nstartsecs=2\nstartretries=3\n"
        f"stopwaitsecs={part.stop_seconds}\nkillasgroup=true\n"
        f"redirect_stderr=true\nstdout_logfile=logs/{part.name}.log\n"
        "stdout_logfile_maxbytes=20MB\nstdout_logfile_backups=1\n"
    )


def _socket_file(cloud: Path) -> tuple[str, Path]:
    """The socket, as the configuration names it and as a path."""
    beside = Path("run", "supervisor.sock")
    if len(os.fsencode(cloud / beside)) <= _LONGEST_SOCKET:
        return str(beside), cloud / beside
    short = hashlib.sha256(os.fsencode(cloud)).hexdigest()[:12]
    elsewhere = f"/tmp/hourglass-{os.getuid()}-{short}.sock"  # noqa: S108  mode 0600, a name of our own
    return elsewhere, Path(elsewhere)
