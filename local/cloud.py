"""One instance of the local cloud: up, down, and what is in between."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from local import processes
from local.airflow_home import AirflowHome
from local.credentials.key import write_key
from local.environment import BUCKETS, PROJECT, as_shell, exports, within
from local.errors import LocalCloudError
from local.layout import Layout
from local.parts import PORTS, Part, airflow_parts, base_parts, make_buckets
from local.ports import HOST, Ports
from local.supervisor import State, Supervisor

Say = Callable[[str], None]
_LOG_LINES = 12
_POLL_SECONDS = 0.1
_TRIES = 3  # a part that dies when others are not up yet gets a second and a third chance


@dataclass(frozen=True)
class Health:
    """One part as `status` shows it."""

    part: Part
    state: State | None
    works: bool


class Cloud:
    """An instance of the local cloud.

    Args:
        layout: its folders.
        say: takes each line meant for a person.
    """

    def __init__(self, layout: Layout, say: Say = print) -> None:
        self.layout = layout
        self._say = say
        self._supervisor = Supervisor(layout)
        self._ports = Ports(layout.run / "ports.json", layout.cloud)
        self.airflow = AirflowHome(layout)

    def up(self, airflow: bool = False) -> None:
        """Start or repair every part; does nothing when all of them work.

        Args:
            airflow: also Airflow's own components. Once started they stay until `down`.

        Raises:
            LocalCloudError: something is not installed, or a part does not work in time.
        """
        _require_installed(self.layout)
        with self._locked():
            self._clear_orphans()
            self._assign_ports()
            self._write_environment()
            wanted = airflow or self._runs_airflow()
            base = base_parts(self.layout, self._ports)
            already = airflow_parts(self.layout, self._ports) if self._runs_airflow() else []
            self._supervisor.apply([*base, *already])
            self._await(base)
            make_buckets(self.environment()["STORAGE_EMULATOR_HOST"], BUCKETS)
            if wanted:
                self.airflow.prepare(self.environment(), self._say)
                components = airflow_parts(self.layout, self._ports)
                self._supervisor.apply([*base, *components])
                self._await(components)

    def down(self) -> int:
        """Stop every part and leave no process; data and logs stay.

        Returns:
            How many processes had to be ended apart from the supervisor's own stop.
        """
        if not self.layout.cloud.exists():
            return 0
        with self._locked():
            self._supervisor.stop()
            left = processes.of_instance(self.layout.cloud)
            processes.end(left)
            return len(left)

    def health(self) -> list[Health]:
        """Every part with its process and whether it answers."""
        if not (self.layout.run / "ports.json").exists():
            return []
        self._require_ports()
        states = self._supervisor.states()
        parts = base_parts(self.layout, self._ports)
        if self._runs_airflow():
            parts += airflow_parts(self.layout, self._ports)
        with ThreadPoolExecutor(len(parts)) as pool:
            works = list(pool.map(lambda part: part.works(), parts))
        return [
            Health(part, state, bool(state and state.runs and ok))
            for part, ok in zip(parts, works, strict=True)
            for state in [states.get(part.name)]
        ]

    def variables(self) -> dict[str, str]:
        """What `env` exports.

        Raises:
            LocalCloudError: the instance was never started, so it has no ports.
        """
        if not (self.layout.run / "ports.json").exists():
            raise LocalCloudError(f"the local cloud in {self.layout.cloud} was never started; run `make up`")
        self._require_ports()
        return exports(self.layout, self._ports)

    def _require_ports(self) -> None:
        if missing := self._ports.missing(PORTS):
            raise LocalCloudError(
                f"the local cloud in {self.layout.cloud} is older than its part {missing[0]}; run `make up`"
            )

    def environment(self) -> dict[str, str]:
        """The whole environment of a command that runs within the cloud."""
        return within(self.variables(), self.layout)

    def _runs_airflow(self) -> bool:
        return any(name.startswith("airflow-") for name in self._supervisor.states())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one command at a time change the instance."""
        self.layout.run.mkdir(parents=True, exist_ok=True)
        with (self.layout.run / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                self._say(f"waiting for another command on this cloud (pid {lock.read().strip() or '?'})")
                fcntl.flock(lock, fcntl.LOCK_EX)
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def _clear_orphans(self) -> None:
        """End what a killed supervisor left; its Spark drivers stay, Dataproc takes them up again."""
        if self._supervisor.pid() is not None:
            return
        orphans = processes.without_drivers(processes.of_instance(self.layout.cloud))
        if orphans:
            self._say(f"the supervisor was killed; ending the {len(orphans)} processes that it left")
            processes.end(orphans)

    def _assign_ports(self) -> None:
        states = self._supervisor.states()
        idle = [name for name in PORTS if not (name in states and states[name].state == "RUNNING")]
        if "airflow-api-server" in states:
            idle.remove("airflow")
        for moved in self._ports.assign(idle):
            self._say(str(moved))

    def _write_environment(self) -> None:
        text = as_shell(exports(self.layout, self._ports), self.layout)
        file = self.layout.cloud / "env"
        if not file.exists() or file.read_text() != text:
            file.touch(mode=0o600)  # Airflow's secrets are in it
            file.write_text(text)
        write_key(self.layout.credentials, f"http://{HOST}:{self._ports['credentials']}/token", PROJECT)

    def _await(self, parts: Sequence[Part]) -> None:
        """Wait until every part works.

        Raises:
            LocalCloudError: one of them gave up or took too long; the message ends with its log.
        """
        started = time.monotonic()
        waiting = list(parts)
        tries: dict[str, set[int]] = {part.name: set() for part in parts}
        with ThreadPoolExecutor(len(parts)) as pool:
            while waiting:
                answers = list(pool.map(lambda part: part.works(), waiting))
                states = self._supervisor.states()
                waiting = [
                    part
                    for part, works in zip(waiting, answers, strict=True)
                    if not (works and part.name in states and states[part.name].runs)
                ]
                for part in waiting:
                    state = states.get(part.name)
                    tries[part.name].add(state.pid if state else 0)
                    if len(tries[part.name] - {0}) > _TRIES:
                        raise LocalCloudError(self._why(part, "starts and ends again and again", state))
                    self._check_patience(part, state, time.monotonic() - started)
                if waiting:
                    time.sleep(_POLL_SECONDS)

    def _check_patience(self, part: Part, state: State | None, seconds: float) -> None:
        if state is None or state.state == "FATAL":
            raise LocalCloudError(self._why(part, "does not start", state))
        if seconds > part.patience_seconds:
            raise LocalCloudError(self._why(part, f"did not answer within {seconds:.0f} s", state))

    def _why(self, part: Part, what: str, state: State | None) -> str:
        log = self.layout.log(part.name)
        lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:] if log.exists() else []
        shown = "\n".join(f"  | {line}" for line in lines) or "  | (nothing)"
        problem = f" ({state.problem})" if state and state.problem else ""
        script = self.layout.run / "parts" / f"{part.name}.sh"
        return (
            f"{part.name} at {part.address} {what}{problem}. The end of its log, {log}:\n{shown}\n"
            f"Mend the cause and run `make up` again; `sh {script}` starts this part alone."
        )


def _require_installed(layout: Layout) -> None:
    needed = [
        layout.root / ".local" / "bin" / "fake-gcs",
        layout.root / ".local" / "bin" / "cbtemulator",
        layout.root / ".local" / "venvs" / "bigquery" / "bin" / "python",
        layout.root / ".local" / "venvs" / "spark" / "bin" / "python",
        layout.root / ".local" / "jars" / "spark",
        layout.root / ".local" / "jars" / "iceberg-rest",
    ]
    missing = [str(path.relative_to(layout.root)) for path in needed if not path.exists()]
    if missing:
        raise LocalCloudError(f"not installed: {', '.join(missing)}. Run `make setup`.")
