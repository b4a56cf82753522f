"""Running the steps of the set-up: side by side where they may, once where nothing changed, visibly."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from local.setup.prerequisites import SetupError

_COMMAND_SECONDS = 1800
_LOG_LINES = 15
_TICK_SECONDS = 0.2
_QUIET_SECONDS = 30.0  # without a terminal: how often a line says what still runs
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

Command = Sequence[str | Path]


@dataclass(frozen=True)
class Step:
    """One thing to install.

    Args:
        name: how it is shown; also the name of its log and stamp.
        why: a few words for people: what this brings.
        inputs: files and texts; the step runs again when any of them changes.
        outputs: what must exist afterwards; the step runs again when one is gone.
        work: does it, by calling its argument with one command after the other.
        after: the steps that must be done before.
        hint: what to do when it fails.
    """

    name: str
    why: str
    inputs: Sequence[Path | str]
    outputs: Sequence[Path]
    work: Callable[[Callable[[Command], None]], None]
    after: Sequence[str] = ()
    hint: str = "Is there a connection to the package registries? What is done is not done again."


class StepError(SetupError):
    """A step failed; the message shows the end of its log."""


@dataclass
class Runner:
    """Runs steps and keeps their stamps.

    Args:
        root: the repository's folder.
        environment: of every command.
        workers: how many steps may run at once.
    """

    root: Path
    environment: Mapping[str, str]
    workers: int = 3
    _running: dict[str, float] = field(default_factory=dict)
    _children: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: bool = False

    def is_current(self, step: Step) -> bool:
        """Tell whether a step's stamp has its inputs' hash and its outputs are there."""
        stamp = self._stamp(step)
        done = stamp.exists() and stamp.read_text() == _hash(step)
        return done and all(output.exists() for output in step.outputs)

    def run(self, steps: Sequence[Step]) -> None:
        """Run the steps that are not current; independent ones side by side.

        Raises:
            StepError: one of them failed; the others have been stopped.
        """
        todo = [step for step in steps if not self.is_current(step)]
        finished = {step.name for step in steps} - {step.name for step in todo}
        screen = threading.Thread(target=self._show, daemon=True)
        screen.start()
        try:
            self._run_all(todo, finished)
        except BaseException:
            self._stop_children()
            raise
        finally:
            self._stopping = True
            screen.join()

    def _run_all(self, todo: list[Step], finished: set[str]) -> None:
        running: dict[Future[None], Step] = {}
        with ThreadPoolExecutor(self.workers) as pool:
            while todo or running:
                for step in [s for s in todo if set(s.after) <= finished][: self.workers - len(running)]:
                    todo.remove(step)
                    running[pool.submit(self._run_step, step)] = step
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    step = running.pop(future)
                    try:
                        future.result()
                    except BaseException:
                        self._stop_children()  # or the pool would wait for the other steps
                        raise
                    finished.add(step.name)

    def _run_step(self, step: Step) -> None:
        log = self.root / ".local" / "logs" / f"setup-{step.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        started = time.monotonic()
        self._say(f"{step.name}: {step.why} …")
        self._running[step.name] = started
        try:
            step.work(lambda command: self._call(command, log))
        except (subprocess.SubprocessError, OSError, SetupError) as error:
            raise StepError(_failure(step, error, log)) from error
        finally:
            del self._running[step.name]
        stamp = self._stamp(step)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(_hash(step))
        self._say(f"{step.name}: done in {time.monotonic() - started:.0f} s")

    def _call(self, command: Command, log: Path) -> None:
        words = [str(word) for word in command]
        with log.open("a") as output:
            output.write(f"$ {' '.join(words)}\n")
            output.flush()
            child = subprocess.Popen(
                words,
                cwd=self.root,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        with self._lock:
            self._children.add(child.pid)
        try:
            code = child.wait(_COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            raise
        finally:
            with self._lock:
                self._children.discard(child.pid)
        if code != 0:
            raise subprocess.CalledProcessError(code, words)

    def _stop_children(self) -> None:
        with self._lock:
            children = list(self._children)
        for pid in children:
            try:
                os.killpg(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue

    def _stamp(self, step: Step) -> Path:
        return self.root / ".local" / "stamps" / step.name

    def _say(self, line: str) -> None:
        with self._lock:
            clear = "\r\033[K" if sys.stdout.isatty() else ""
            print(f"{clear}  {line}", flush=True)

    def _show(self) -> None:
        """Keep one moving line on a terminal; elsewhere say now and then what still runs."""
        last, turn = time.monotonic(), 0
        while not self._stopping:
            time.sleep(_TICK_SECONDS)
            now, turn = time.monotonic(), turn + 1
            running = ", ".join(f"{name} {now - since:.0f} s" for name, since in list(self._running.items()))
            if sys.stdout.isatty():
                with self._lock:
                    print(f"\r\033[K{_SPINNER[turn % len(_SPINNER)]} {running}", end="", flush=True)
            elif running and now - last > _QUIET_SECONDS:
                last = now
                self._say(f"still at it: {running}")
        if sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)


def _hash(step: Step) -> str:
    digest = hashlib.sha256()
    for item in step.inputs:
        digest.update(item.read_bytes() if isinstance(item, Path) else item.encode())
        digest.update(b"\0")
    return digest.hexdigest()


def _failure(step: Step, error: Exception, log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    shown = "\n".join(f"  | {line}" for line in lines)
    advice = f"The whole log: {log}\n{step.hint}\nThen run `make setup` again."
    return f"{step.name} failed: {error}\n{shown}\n{advice}"
