"""The most memory that a local cloud's processes hold at once, and whose it is."""

from __future__ import annotations

import re
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from local import processes

LOOK_EVERY_SECONDS = 10.0
# The first that is in the command names a process's part.
PARTS = {
    "Spark drivers": r"spark|pyspark",
    "Airflow": r"airflow",
    "BigQuery": r"local/bigquery",
    "the other services": r"",
}


class Memory:
    """Looks every few seconds, on a thread of its own, while its block is entered.

    Args:
        cloud: The folder of the local cloud.

    Attributes:
        peak: By part, bytes at the moment at which all of them together held the most. Shared pages count once:
            each process's share of them (Linux's PSS).
    """

    def __init__(self, cloud: Path) -> None:
        self.peak: Counter[str] = Counter()
        self._cloud = cloud
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _look(self) -> None:
        while not self._stop.wait(LOOK_EVERY_SECONDS):
            held: Counter[str] = Counter()
            for process in processes.of_instance(self._cloud):
                with suppress(psutil.Error):
                    held[part(" ".join(process.cmdline()))] += process.memory_full_info().pss
            self.peak = max(self.peak, held, key=Counter.total)


def part(command: str) -> str:
    """The part of the cloud that a command line belongs to."""
    return next(name for name, pattern in PARTS.items() if re.search(pattern, command))
