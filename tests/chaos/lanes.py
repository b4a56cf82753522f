"""Lanes play sequences side by side, each in a cloud of its own, since one sequence keeps only one core busy.

Where one breaks a law, its own log stays and the lane's next one starts in an empty cloud.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / ".local" / "chaos.log"
SLOTS = 40  # groups of hours of one cloud


class Log:
    """Prints, and keeps what was printed in a file.

    Args:
        file: The file.
        lane: What each line begins with.
    """

    def __init__(self, file: Path, lane: str = "") -> None:
        self._file = file
        self._lane = lane

    def __call__(self, text: str) -> None:
        line = f"{self._lane}{text}"
        print(line, flush=True)  # noqa: T201
        with self._file.open("a") as out:
            out.write(line + "\n")


def play(lane: str, seeds: list[int], steps: int) -> tuple[Counter[str], dict[int, str]]:
    """Play a lane's sequences in a process of its own.

    Returns:
        How often each thing was done, and what was broken by which seed.
    """
    sys.path[:0] = [str(ROOT / "plugins")]
    say = Log(LOG, f"{lane} ")
    done: Counter[str] = Counter()
    failed: dict[int, str] = {}
    while seeds:
        seeds = _until_broken(ROOT / ".local" / f"chaos{lane}", seeds, steps, say, done, failed)
    return done, failed


def _until_broken(
    folder: Path, seeds: list[int], steps: int, say: Log, done: Counter[str], failed: dict[int, str]
) -> list[int]:
    """Play until a law is broken.

    Returns:
        The seeds that are left.
    """
    with _running(folder / "cloud") as cloud:
        from tests.chaos.chaos import chaos
        from tests.chaos.driver import Sequence
        from tests.chaos.world import partitions

        shutil.rmtree(folder / "files", ignore_errors=True)
        with chaos(cloud, folder / "files", say) as world:
            for slot, seed in enumerate(seeds[:SLOTS]):
                say(f"seed {seed}")
                try:
                    Sequence(world, seed, partitions(slot)).play(steps)
                except Exception as error:
                    failed[seed] = f"{type(error).__name__}: {error}"
                    say(f"BROKEN {failed[seed]}")
                    shutil.copy(folder / "files" / "airflow.log", folder / f"airflow-{seed}.log")
                    break
            done.update(world.done)
    return seeds[slot + 1 :]


@contextmanager
def _running(folder: Path) -> Iterator[object]:
    from tests.conftest import running_cloud

    yield from running_cloud(folder)
