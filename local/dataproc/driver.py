"""A Spark driver as a process: it outlives the server, is found again, and is stopped as a whole."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

# Every process of a driver inherits this variable. It tells whose a process is better than a process id,
# which can be reused, or a process group, which PySpark's daemon leaves.
_MARK = "HOURGLASS_BATCH_FOLDER"

_KILLS = 10
_DYING_SECONDS = 1.0

# The exit code must outlive the server, so a shell writes it down, with the CPU time of all it waited for.
# On SIGTERM the shell waits for Spark to end.
_SHELL = """
folder=$1; shift
touch "$folder/started"
trap : TERM INT
"$@"
code=$?
{ echo "$code"; times; } > "$folder/exit.part"
mv "$folder/exit.part" "$folder/exit"
"""


@dataclass(frozen=True)
class Exit:
    """How a driver ended.

    Attributes:
        code: its exit code, 128 + n after signal n.
        cpu_seconds: user and system time of all its processes.
    """

    code: int
    cpu_seconds: float


class Driver:
    """A running driver; its folder holds `started` since it runs and `exit` when it has ended."""

    def __init__(self, folder: Path, process: psutil.Process) -> None:
        self._folder = folder
        self._process = process

    @classmethod
    def start(
        cls, folder: Path, command: Sequence[str], environment: Mapping[str, str], output: Path
    ) -> Driver:
        """Start `command` in a session of its own, working in folder/work.

        Args:
            folder: the batch's folder.
            command: the argument list.
            environment: the whole environment.
            output: file that takes standard output and error.

        Raises:
            OSError: the shell or the files cannot be opened.
        """
        work = folder / "work"
        work.mkdir(exist_ok=True)
        with output.open("wb") as sink:
            process = psutil.Popen(
                ["/bin/sh", "-c", _SHELL, "driver", str(folder), *command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                cwd=work,
                env={**environment, _MARK: str(folder)},
                start_new_session=True,
            )
        return cls(folder, process)

    @classmethod
    def find(cls, folder: Path) -> Driver | None:
        """Find the driver that an earlier server started for this folder, if its shell still runs."""
        for process in _processes(folder):
            if leads_session(process):
                return cls(folder, process)
        return None

    @property
    def pid(self) -> int:
        """The process id of the shell around Spark."""
        return int(self._process.pid)

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the driver without spending CPU time; tell whether it has ended."""
        try:
            self._process.wait(max(timeout_seconds, 0.0))
        except psutil.TimeoutExpired:
            return False
        return True


def leads_session(process: psutil.Process) -> bool:
    """Tell whether a driver's process is the shell: only that leads a session; False when it has ended."""
    try:
        return bool(os.getsid(process.pid) == process.pid)
    except ProcessLookupError:
        return False


def started(folder: Path) -> bool:
    """Tell whether a driver was ever started in this folder."""
    return (folder / "started").exists()


def read_exit(folder: Path) -> Exit | None:
    """Read how the driver of this folder ended; None when it runs or was killed together with its shell."""
    try:
        code, *times = (folder / "exit").read_text().splitlines()
    except OSError:
        return None
    minutes = re.findall(r"(\d+)m([\d.]+)s", " ".join(times))
    return Exit(int(code), sum(60 * int(m) + float(s) for m, s in minutes))


def stop_processes(folder: Path, grace_seconds: float) -> None:
    """End every process of the driver of `folder`: SIGTERM, then SIGKILL after `grace_seconds`.

    When it returns they are gone, unless the system cannot end one for seconds.
    """
    alive = _processes(folder)
    _signal(alive, signal.SIGTERM)
    psutil.wait_procs(alive, timeout=grace_seconds)
    for _ in range(_KILLS):  # a process may have started another one meanwhile
        left = _processes(folder)
        if not left:
            return
        _signal(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=_DYING_SECONDS)


def stop_all(data_dir: Path, grace_seconds: float = 5.0) -> None:
    """End every driver of a server's data folder, for when the server itself was killed and is not to return.

    Args:
        data_dir: the server's --data-dir.
        grace_seconds: how long a driver may take to end by itself.
    """
    folders = {Path(_folder_of(process)) for process in psutil.process_iter()}
    for folder in folders:
        if folder.parent == data_dir.resolve() / "batches":
            stop_processes(folder, grace_seconds)


def _processes(folder: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _folder_of(process) == str(folder)]


def _folder_of(process: psutil.Process) -> str:
    """Give the batch folder a process works for, or an empty string."""
    try:
        return str(process.environ().get(_MARK, ""))
    except (psutil.Error, OSError):  # gone, a zombie, or another user's
        return ""


def _signal(processes: Sequence[psutil.Process], number: int) -> None:
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
