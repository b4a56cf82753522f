"""Kills Airflow's own processes while an hour runs: its components, and LocalExecutor's workers with their tasks."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from tests.chaos.scheduler import Run
from tests.kills.hour import SOURCE, Hour
from tests.kills.real_airflow import RealAirflow, real_airflow
from tests.kills.story import Cell, as_readers_see

KEY = "2021-07-23T06"
PATIENCE_SECONDS = 900.0
AT_WORK = ("running", "deferred")
# Airflow gives up a silent process after five minutes, and a task whose worker died before its first word after ten;
# a test need not wait so long.
IMPATIENT = {
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "120",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
}
WORKER = "LocalExecutor worker"
WHEN = {"triggerer": ("deferred",), WORKER: ("running",)}
# What is killed at which task; deferred ones are at work in the triggerer. One run for each pass.
PASSES = {
    "Airflow's processes": {
        "sense.wait": "api-server",
        "refine.run": "triggerer",
        "gate.load_silver": "scheduler",
        "gate.validate": WORKER,
        "publish.silver": "triggerer",
        "transform.fct_github_events_model_build": WORKER,
        "serve.refresh_github_hourly_events": "dag-processor",
        "serve.push_github_actor": WORKER,
        "announce.record": "scheduler",
    },
    "Airflow's processes, at other tasks": {
        "refine.run": "scheduler",
        "gate.load_silver": "triggerer",
        "gate.validate": "scheduler",
        "publish.silver": "scheduler",
        "serve.push_github_actor": "api-server",
        "announce.record": WORKER,
    },
}


@dataclass
class Components:
    """An hour in an Airflow whose processes die.

    Args:
        airflow: Airflow's components.
        hour: The partition; its version A is published.
        say: Takes a line for each kill.
        cells: The kills so far.
        version: The version that was landed last.
    """

    airflow: RealAirflow
    hour: Hour
    say: Callable[[str], None] = print
    cells: list[Cell] = field(default_factory=list)
    version: str = "A"

    def first_run(self) -> None:
        """Publish version A."""
        self.hour.land("A")
        self.airflow.unpause(SOURCE)
        self.airflow.run(SOURCE, self.hour.start)
        self.finish()

    def replace(self) -> None:
        """Land the other version and clear the run."""
        self.version = "B" if self.version == "A" else "A"
        self.hour.land(self.version)
        self.airflow.clear(SOURCE, self.hour.start)

    def kill_each(self, victims: Mapping[str, str]) -> None:
        """Kill at tasks of one run, by task, and let the run go on each time."""
        for task, victim in victims.items():
            states = WHEN.get(victim, AT_WORK)
            self.airflow.wait(partial(self._is, task, states), PATIENCE_SECONDS, f"{task} is not {states}")
            self._kill(victim, task)

    def _is(self, task: str, states: Sequence[str]) -> bool:
        return self.run().tasks[task] in (*states, "success")

    def _kill(self, victim: str, task: str) -> None:
        before = self.run()
        self._victims(victim)
        shown = as_readers_see(self.hour.shown(), self.version)
        state = str(before.tasks[task])
        self._await(task)
        run = self.run()
        healed = "its supervisor, which starts it again"
        if "failed" in run.tasks.values():  # perhaps one that died with it: gate.account has no second try
            self.airflow.settle([SOURCE], PATIENCE_SECONDS)
            self.airflow.clear(SOURCE, self.hour.start, only_failed=True)
            self._await(task)
            healed = "a clear"
        elif run.tries[task] > before.tries[task]:
            healed = "Airflow's retry"
        place = f"while the task is {state}" if state in AT_WORK else "when the task has succeeded"
        self.cells.append(Cell(task.partition(".")[0], task, victim, place, state, shown, healed))
        self.say(f"{task}: {victim} killed {place}; readers see {shown}; healed by {healed}")

    def _victims(self, victim: str) -> None:
        if victim != WORKER:
            self.airflow.component(victim).kill()
            return
        for worker in self.airflow.workers():
            with suppress(psutil.NoSuchProcess):
                worker.kill()

    def _await(self, task: str) -> None:
        """Let the task come to its end, or the run to its failure."""
        self.airflow.wait(
            lambda: self.run().tasks[task] == "success" or self.run().state == "failed",
            PATIENCE_SECONDS,
            f"{task} does not end",
        )

    def run(self) -> Run:
        """The hour's one run."""
        (found,) = [r for r in self.airflow.runs(SOURCE, tasks=True) if r.logical_date == self.hour.start]
        return found

    def finish(self) -> None:
        """Let the run end, and check what it published."""
        self.airflow.settle([SOURCE], PATIENCE_SECONDS)
        assert self.run().state == "success", self.run()
        assert set(self.hour.shown().values()) == {self.version}, self.hour.shown()
        assert not self.hour.live_batches()


def kill_components(
    done: Sequence[str], keep: Callable[[str, list[Cell]], None], say: Callable[[str], None] = print
) -> None:
    """The hour is replaced before each pass, killed in, run to its end and checked.

    Args:
        done: The names of passes to leave out.
        keep: Takes a finished pass's name and its kills.
        say: Takes a line for each kill.
    """
    wanted = {name: victims for name, victims in PASSES.items() if name not in done}
    if not wanted:
        return
    with tempfile.TemporaryDirectory() as folder, real_airflow(Path(folder), (SOURCE,), IMPATIENT) as airflow:
        story = Components(airflow, Hour(KEY, Path(folder)), say)
        story.first_run()
        for name, victims in wanted.items():
            story.cells.clear()
            story.replace()
            story.kill_each(victims)
            story.finish()
            keep(name, story.cells)
