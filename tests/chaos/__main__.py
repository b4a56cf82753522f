"""python -m tests.chaos --sequences 30 --seed 1: the long run of the chaos test; see driver.py and lanes.py.

Sequence n has the seed SEED + n.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.chaos.lanes import LOG, Log, play


def main() -> int:
    """Play the sequences.

    Returns:
        The exit code: 1 when a law was broken.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="The chaos test's long run.")
    parser.add_argument("--sequences", type=int, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    parser.add_argument("--steps", type=int, default=4, help="operations and settlings of one sequence")
    parser.add_argument("--lanes", type=int, default=2, help="how many sequences are played at a time")
    options = parser.parse_args()
    say = Log(LOG)
    seeds = [options.seed + n for n in range(options.sequences)]
    lanes = min(options.lanes, len(seeds))
    say(f"seeds {seeds[0]} to {seeds[-1]} in {lanes} lanes, {time.strftime('%Y-%m-%d %H:%M:%S')}")
    started = time.monotonic()
    done: Counter[str] = Counter()
    failed: dict[int, str] = {}
    with ProcessPoolExecutor(lanes, mp_context=get_context("spawn")) as pool:
        playing = [pool.submit(play, str(n + 1), seeds[n::lanes], options.steps) for n in range(lanes)]
        for lane in playing:
            its_done, its_failed = lane.result()
            done.update(its_done)
            failed.update(its_failed)
    kept = options.sequences - len(failed)
    say(f"{kept} of {options.sequences} sequences keep the laws, {time.monotonic() - started:.0f} s")
    for what, number in sorted(done.items()):
        say(f"{number:6} {what}")
    for seed, why in failed.items():
        say(f"BROKEN by seed {seed} (make chaos SEQUENCES=1 SEED={seed}): {why}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
