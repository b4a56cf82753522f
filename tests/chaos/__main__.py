"""python -m tests.chaos --sequences 30 --seed 1: the long run of the chaos test; see driver.py.

Sequence n has the seed SEED + n. Where one breaks a law, its own log stays and the next one starts in an empty cloud.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SLOTS = 40  # groups of hours of one cloud


class Log:
    """Prints, and keeps what was printed in a file.

    Args:
        file: The file.
        lane: What each line begins with.
    """

    def __init__(self, file: Path, lane: str) -> None:
        self._file = file
        self._lane = lane

    def __call__(self, text: str) -> None:
        line = f"{self._lane}{text}"
        print(line, flush=True)  # noqa: T201
        with self._file.open("a") as out:
            out.write(line + "\n")


def main() -> int:
    """Play the sequences.

    Returns:
        The exit code: 1 when a law was broken.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="The chaos test's long run.")
    parser.add_argument("--sequences", type=int, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--steps", type=int, default=4, help="operations and settlings of one sequence")
    parser.add_argument("--lane", default="", help="a name, so that several runs have clouds of their own")
    options = parser.parse_args()
    sys.path[:0] = [str(ROOT / "plugins")]
    say = Log(ROOT / ".local" / "chaos.log", f"{options.lane} " if options.lane else "")
    folder = ROOT / ".local" / f"chaos{options.lane}"
    seeds = [options.seed + n for n in range(options.sequences)]
    say(f"seeds {seeds[0]} to {seeds[-1]}, {time.strftime('%Y-%m-%d %H:%M:%S')}")
    done: Counter[str] = Counter()
    failed: dict[int, str] = {}
    started = time.monotonic()
    while seeds:
        seeds = _until_broken(folder, seeds, options.steps, say, done, failed)
    say(f"{options.sequences - len(failed)} of {options.sequences} sequences keep the laws, ")
    say(f"{time.monotonic() - started:.0f} s")
    for what, number in sorted(done.items()):
        say(f"{number:6} {what}")
    for seed, why in failed.items():
        say(f"BROKEN by seed {seed} (make chaos SEQUENCES=1 SEED={seed}): {why}")
    return 1 if failed else 0


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


if __name__ == "__main__":
    sys.exit(main())
