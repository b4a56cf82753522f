"""Finding and ending the processes of one instance, also those whose supervisor is gone."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

# Set in every part's environment and inherited by its children; nobody's shell has it, so that stopping
# the cloud never ends a terminal in which someone loaded the cloud's variables.
MARK = "HOURGLASS_PART_OF"
_DRIVER_MARK = "HOURGLASS_BATCH_FOLDER"  # Dataproc's drivers outlive their server, which finds them again


def of_instance(cloud: Path) -> list[psutil.Process]:
    """List the live processes that belong to the instance in `cloud`."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(cloud) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # ended meanwhile, or another user's
    return found


def without_drivers(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Leave out Spark drivers: a new Dataproc server takes up the batches that run."""
    kept = []
    for process in processes:
        try:
            if _DRIVER_MARK not in process.environ():
                kept.append(process)
        except (psutil.Error, OSError):
            continue
    return kept


def end(processes: list[psutil.Process], grace_seconds: float = 5.0) -> None:
    """Ask processes to end, and kill those that have not within `grace_seconds`."""
    for process in processes:
        _signal(process, kill=False)
    _, alive = psutil.wait_procs(processes, timeout=grace_seconds)
    for process in alive:
        _signal(process, kill=True)
    psutil.wait_procs(alive, timeout=grace_seconds)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill() if kill else process.terminate()


def describe(process: psutil.Process) -> str:
    """Name a process as a person would look for it: `nginx (pid 123)`."""
    try:
        return f"{process.name()} (pid {process.pid})"
    except psutil.Error:
        return f"pid {process.pid}"
