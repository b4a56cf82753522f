"""What the demonstrations share: the local cloud around them, and one DAG run that is watched."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from local.cloud import Cloud
from local.errors import LocalCloudError
from local.layout import Layout

_STEP = re.compile(r"^(\S+Z) .*\[DAG TEST\] (starting|end task) task_id=([\w.]+)")


@dataclass
class DagRun:
    """One run of a DAG.

    Args:
        log: Everything that it said.
        times: Of each task the moments at which it started and ended, the mapped ones of a task together.
        total: Wall time of the whole command, in seconds.
        failed: Whether it failed.
    """

    log: Path
    times: dict[str, list[datetime]] = field(default_factory=dict)
    total: float = 0.0
    failed: bool = False

    def seconds(self, name_of: Callable[[str], str] = str) -> dict[str, float]:
        """Wall time from the first start to the last end of each task, or of each group of tasks.

        Args:
            name_of: The group's name by the task's id.
        """
        found: dict[str, list[datetime]] = {}
        for task, moments in self.times.items():
            found.setdefault(name_of(task), []).extend(moments)
        return {name: round((max(t) - min(t)).total_seconds(), 2) for name, t in found.items()}


def in_cloud(demonstrate: Callable[[Console], int]) -> int:
    """Do something within the local cloud, which is started for it and stopped after it unless it ran before.

    Args:
        demonstrate: What to do; takes the console to show it on, gives an exit code.

    Returns:
        Its exit code; 1 when the local cloud does not start.
    """
    # A pipe or a file has no width of its own; 80 columns would break the tables.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    # Neither is news here: the local key has no account, and Bigtable is meant to be local.
    logging.getLogger("google.oauth2").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", "Connecting to Bigtable emulator")
    cloud = Cloud(Layout.current(), lambda line: console.print(line, style="dim", markup=False))
    # A cloud that was running is somebody's; one that was started for this ends with it.
    was_running = any(part.works for part in cloud.health())
    try:
        with console.status("starting the local cloud"):
            cloud.up()
            os.environ.update(cloud.environment())
            cloud.airflow.prepare(
                cloud.environment(), lambda line: console.print(line, style="dim", markup=False)
            )
        return demonstrate(console)
    except LocalCloudError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    finally:
        if not was_running:
            cloud.down()


def run_dag(dag_id: str, moment: str, log: Path, console: Console) -> DagRun:
    """Run one partition of a DAG with `airflow dags test`, showing each task as it goes.

    Args:
        dag_id: The DAG.
        moment: The partition's start, or its key.
        log: Where everything goes that it says.
        console: Where to show what it does.
    """
    console.print(f"[bold]airflow dags test {dag_id} {moment}[/]  [dim]log: {log}[/]")
    started = time.monotonic()
    run = DagRun(log)
    with (
        log.open("w") as out,
        subprocess.Popen(
            ["airflow", "dags", "test", dag_id, moment],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
        console.status("starting Airflow") as status,
    ):
        assert process.stdout is not None  # noqa: S101 (for the type checker)
        for line in _teed(process.stdout, out):
            if step := _STEP.match(line):
                run.times.setdefault(step[3], []).append(datetime.fromisoformat(step[1]))
                status.update(f"{step[3]}, task {len(run.times)}, {time.monotonic() - started:.0f} s")
    run.total = time.monotonic() - started
    run.failed = bool(process.returncode)
    if run.failed:
        console.print(f"[red]{dag_id} {moment} failed[/]; the log's last lines ({log}):")
        console.print("".join(log.read_text().splitlines(keepends=True)[-25:]), markup=False)
        console.print("Read the message above, correct what it names, and run the same command again.")
    else:
        console.print(f"  done in {run.total:.0f} s")
    return run


def dbt_results(log: str) -> dict[str, int]:
    """Models and tests that dbt ran, as its own lines in a log count them."""
    return {
        "models": len(re.findall(r"\d+ of \d+ OK (?:created|snapshotted|loaded)", log)),
        "tests": len(re.findall(r"\d+ of \d+ PASS ", log)),
        "warnings": len(re.findall(r"\d+ of \d+ WARN ", log)),
    }


def _teed(lines: Any, out: Any) -> Iterator[str]:
    for line in lines:
        out.write(line)
        yield line
