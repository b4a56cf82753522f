"""The sources of one folder, loaded once for all the DAG files that one interpreter parses."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hourglass.config.loader import Loaded, load_sources

# Neither is read while loading, and dbt writes into the first whenever it runs.
_NEVER_READ = ("target", "samples", "__pycache__")

_loaded: dict[Path, tuple[int, Loaded]] = {}


def load_once(include: Path) -> Loaded:
    """Load every source, unless nothing below the folder has changed since this interpreter did.

    Args:
        include: The include folder.
    """
    mark = hash(tuple(_files(include)))
    known = _loaded.get(include)
    if known is None or known[0] != mark:
        with collector_paused():
            known = _loaded[include] = mark, load_sources(include)
    return known[1]


@contextmanager
def collector_paused() -> Iterator[None]:
    """Collect no garbage while objects are made that all stay.

    With many sources there are enough of them for a full collection, which walks through all that Airflow has
    imported: 0.3 s of every task's start, since a task reads its DAG file anew.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _files(folder: str | Path) -> Iterator[tuple[str, int, int]]:
    """Every file with its time and size."""
    if not os.path.isdir(folder):
        return
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.is_dir():
                if entry.name not in _NEVER_READ:
                    yield from _files(entry.path)
            elif entry.is_file():
                status = entry.stat()
                yield entry.path, status.st_mtime_ns, status.st_size
