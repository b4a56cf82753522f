"""Run a command and say what it cost: wall and CPU seconds, and the most memory its processes held at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOK_EVERY_SECONDS = 0.25


@dataclass(frozen=True)
class Cost:
    """What a command cost; `memory` is the peak of all its processes together, in bytes."""

    wall: float
    cpu: float
    memory: int


def mean(one: Cost, other: Cost) -> Cost:
    """What a command cost on average over two runs; the memory is the larger peak."""
    return Cost((one.wall + other.wall) / 2, (one.cpu + other.cpu) / 2, max(one.memory, other.memory))


def run(command: list[str], log: Path, env: dict[str, str] | None = None, timeout: float = 1800) -> Cost:
    """Run a command to its end.

    Args:
        command: the program and its arguments.
        log: where its output goes.
        env: variables beside the present ones.
        timeout: seconds after which it is killed.

    Raises:
        SystemExit: the command failed or took too long; the message shows the end of its log.
    """
    before, begin, peak = os.times(), time.monotonic(), 0
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["nice", *command],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                peak = max(peak, _memory(process.pid))
                if time.monotonic() - begin > timeout:
                    raise SystemExit(f"{command[0]} took more than {timeout:.0f} s, see {log}")
                time.sleep(LOOK_EVERY_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
                process.wait()
    if process.returncode:
        tail = log.read_text(errors="replace")[-2000:]
        raise SystemExit(f"{command[0]} ended with status {process.returncode}, see {log}:\n{tail}")
    after = os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return Cost(time.monotonic() - begin, cpu, peak)


def _memory(pid: int) -> int:
    """The memory of a process and its descendants; pages they share count once for each."""
    total = 0
    try:
        top = psutil.Process(pid)
        for one in [top, *top.children(recursive=True)]:
            try:
                total += one.memory_info().rss
            except psutil.Error:
                continue
    except psutil.Error:
        pass
    return total


def python() -> str:
    """The interpreter that runs the benchmarks."""
    return sys.executable
