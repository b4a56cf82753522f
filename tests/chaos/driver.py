"""Random sequences of what happens to a pipeline, each settled and then compared with the oracle.

The seed decides the sequence: operations, files, tasks and moments of death. What is left to chance is how far a
process got within its seconds before it died.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

from google.cloud import storage

from tests.chaos import observe
from tests.chaos.kill import Kill
from tests.chaos.observe import ViolationError, same
from tests.chaos.oracle import expect
from tests.chaos.scheduler import Run
from tests.chaos.spark import kill_driver
from tests.chaos.state import State, World, compare_partition
from tests.chaos.warm import KilledError
from tests.chaos.world import BUCKET, SOURCE, VERSIONS, Origin, Partition, Writer
from tests.faults.rules import Rule

SWEEPER = "hourglass_sweeper"
STEPS = 4
HEALINGS = 3  # plain clears of what failed, until it must be well
# What a request is like whose sender dies at it, or which the service fails.
REQUESTS = (
    ("gcs", ""),
    ("gcs", "/upload/"),
    ("bigquery", ""),
    ("bigquery", "/jobs"),
    ("bigquery", "/queries"),
    ("bigtable", ""),
    ("bigtable", "MutateRows"),
    ("dataproc", ""),
    ("iceberg", ""),
)
MOMENTS = ("before", "inside", "unsaid", "after")
UNFINISHED = ("queued", "running")
FIRST = ["sense.wait", "refine.run", "publish.silver"]  # of a DAG whose tasks are not known yet
REPAIRED = "positive_number_fare"
LOADS = ["gate.load_silver", "gate.load_quarantine"]
DEFERRED = ("refine.", "gate.load_", "publish.")  # tasks that wait in a trigger


class Sequence:
    """One sequence.

    Args:
        world: What is shared.
        seed: Decides everything.
        partitions: The partitions that it may touch, which nobody has touched before.
    """

    def __init__(self, world: World, seed: int, partitions: list[Partition]) -> None:
        self.world = world
        self.random = Random(seed)
        self.writer = Writer(self.random, f"s{seed}-{partitions[0].key}-")
        self.mine = [State(p) for p in partitions]
        world.states += self.mine
        self.version = VERSIONS[0]
        self.versions = {VERSIONS[0]}
        self.files = 0
        self.tasks: list[str] = []

    def play(self, steps: int = STEPS, every: bool = True) -> None:
        """Play the sequence to its end.

        Args:
            steps: How often something happens, is disturbed, and is settled.
            every: Whether every partition is run in the end.

        Raises:
            ViolationError: A law is broken.
        """
        started = time.monotonic()
        for state in self.mine:  # an empty one would be awaited until the late window's end
            self.land(state)
        self.run(self.mine[0])
        self._execute()
        self.settle()
        for step in range(steps):
            if self.random.random() < 0.4:
                self._replay(self.random.choice(self.mine))
            for _ in range(self.random.randint(1, 2)):
                self._operation()
            if self._changed():
                self._request_sweep()
            if not self._pending():
                self._clear(self.random.choice([s for s in self.mine if s.ran]))
            self._execute()
            if every and step == steps - 1:
                for state in self.mine:
                    self.run(state)
            self.settle()
        self._say(f"sequence done in {time.monotonic() - started:.0f} s")

    # Operations

    def _operation(self) -> None:
        operations: dict[Callable[[State], None], int] = {
            self.land: 3,
            self._replace: 3,
            self._garbage: 2,
            self.run: 2,
            self._clear: 6,
            self._backfill: 2,
            self._evolve: 1,
        }
        chosen = self.random.choices(list(operations), list(operations.values()))[0]
        chosen(self.random.choice(self.mine))

    def land(self, state: State) -> None:
        late = "land late" if state.ran else "land"
        self._put(state, f"f{self.files}.json", self.random.choice((0, 0, 1)), late)

    def _replace(self, state: State) -> None:
        names = sorted(set(state.partition.files) - set(state.partition.replays))
        if names:
            self._put(state, self.random.choice(names), self.random.choice((0, 0, 1)), "replace")

    def _garbage(self, state: State) -> None:
        self._put(state, f"f{self.files}.json", self.random.randint(6, 20), "land garbage")

    def _put(self, state: State, name: str, garbage: int, what: str) -> None:
        self.files += 1
        content = self.writer.file(state.partition.start, garbage)
        state.partition.files[name] = content
        storage.Client().bucket(BUCKET).blob(state.partition.object_name(name)).upload_from_string(content)
        state.remember()
        self._did(what, f"{state.partition.key}/{name}, {len(content.splitlines())} lines")

    def run(self, state: State) -> None:
        if not state.ran:
            self._call("schedule", dag_id=SOURCE, starts=[state.partition.start])
            state.ran = True
            self._did("run", state.partition.key)

    def clear(self, state: State, *tasks: str) -> None:
        """Clear tasks alone, one after the other, each when the one before has ended."""
        for task in tasks:
            self._call("clear", dag_id=SOURCE, start=state.partition.start, tasks=[task], downstream=False)
            self._call("settle")
            self._did("clear alone", f"{state.partition.key} {task}")

    def runs(self) -> list[Run]:
        """The runs of the source as they are now."""
        runs: list[Run] = self._call("runs", dag_id=SOURCE)
        return runs

    def _clear(self, state: State) -> None:
        if not state.ran or not self.tasks:
            return
        task, downstream = self.random.choice(self.tasks), self.random.random() < 0.5
        count = self._call(
            "clear", dag_id=SOURCE, start=state.partition.start, tasks=[task], downstream=downstream
        )
        how = "with downstream" if downstream else "alone"
        self._did(f"clear {how}", f"{state.partition.key} {task}: {count} tasks")

    def _backfill(self, state: State) -> None:
        first, last = self.mine[0].partition.start, self.mine[-1].partition.start
        reprocess = self.random.choice(("none", "failed", "completed"))
        self._call("backfill", dag_id=SOURCE, first=first, last=last, reprocess=reprocess)
        for each in self.mine:
            each.ran = True
        self._did(f"backfill {reprocess}", f"{self.mine[0].partition.key} to {self.mine[-1].partition.key}")

    def _evolve(self, state: State) -> None:
        if self.version == VERSIONS[0]:
            self.version = VERSIONS[1]
            self.versions.add(self.version)
            self._did("evolve the schema", f"to {self.version}")

    def _replay(self, state: State) -> None:
        """Replay the lines of a broken rule; only after a settling, when it is known which lines are quarantined."""
        partition = state.partition
        outcome = expect(partition, self.version)
        places = sorted((o, n) for o, n, reason in outcome.open() if reason == REPAIRED)
        if not state.ran or not places:
            return
        self._call("tests.chaos.world:replay", key=partition.key, reason=REPAIRED, repair="fare=abs(fare)")
        known = {partition.object_name(name) for name in partition.files}
        folder = partition.object_name("")
        (blob,) = [b for b in storage.Client().list_blobs(BUCKET, prefix=folder) if b.name not in known]
        files = [object_.rsplit("/", 1)[-1] for object_, _ in places]
        origins = [Origin(f, partition.files[f], n) for f, (_, n) in zip(files, places, strict=True)]
        content = blob.download_as_bytes()
        lines = [json.loads(line) for line in content.splitlines()]
        wanted = [json.loads(o.content.split(b"\n")[o.line - 1]) for o in origins]
        same("replayed lines", [{**r, "fare": abs(r["fare"])} for r in wanted], lines)
        name = blob.name.removeprefix(folder)
        partition.files[name], partition.replays[name] = content, origins
        state.remember()
        self._did("replay", f"{partition.key}/{name}, {len(places)} lines")

    # How the runs go on

    def _execute(self) -> None:
        ways: dict[Callable[[], None], int] = {
            self._undisturbed: 1,
            self._killed_at_task: 4,
            self._killed_at_request: 3,
            self._half_way: 2,
            self._failing_service: 2,
            self._spark_killed: 1,
        }
        self.random.choices(list(ways), list(ways.values()))[0]()

    def _undisturbed(self) -> None:
        self._did("undisturbed", "")

    def _pending(self) -> list[str]:
        """The tasks that will run, as far as that can be said: a sweep may clear any."""
        runs = [r for r in self._call("runs") if r.state in UNFINISHED]
        if any(r.dag_id == SWEEPER for r in runs):
            return self.tasks or FIRST
        return sorted({t for r in runs for t, state in r.tasks.items() if state is None}) or (
            FIRST if runs else []
        )

    def _changed(self) -> bool:
        return any(s.ran and s.partition.files != s.seen[0] for s in self.mine if s.seen)

    def _killed_at_task(self) -> None:
        task = self.random.choice(self._pending())
        moments = (*MOMENTS, "trigger") if task.startswith(DEFERRED) else MOMENTS
        kill = Kill(task, self.random.choice(moments), seconds=round(self.random.uniform(0, 2), 1))
        self._until_killed(f"kill at task, {kill.when}", f"{kill}", kill=kill)

    def _killed_at_request(self) -> None:
        service, path = self.random.choice(REQUESTS)
        number, when = self.random.randint(1, 12), self.random.choice(("before", "after"))
        call = self._start("settle")
        hook = {when: lambda seen: os.kill(call.pid, 9)}
        rule = self.world.proxy.add(Rule(service, path=path, first=number), **hook)
        try:
            call.result()
            self._did("kill at request, none came", f"{service} {path} {number}")
        except KilledError:
            self._did(f"kill at request, {when}", f"{service} {path} {number}")
        finally:
            self.world.proxy.remove(rule)

    def _half_way(self) -> None:
        task = self.random.choice(self._pending())
        self._call("settle", stop_after=task)
        self._did("stop half-way", task)
        self._operation()

    def _failing_service(self) -> None:
        service, path = self.random.choice(REQUESTS)
        action = self.random.choice(("answer", "reset", "lose"))
        first = self.random.randint(1, 8)
        status = 14 if service in ("bigtable", "dataproc") else self.random.choice((429, 503))
        rule = Rule(service, action, path=path, first=first, last=first + 1, status=status)
        number = self.world.proxy.add(rule)
        self._call("settle")
        hit = any(s.rule == number for s in self.world.proxy.seen())
        self.world.proxy.clear()
        self._did(
            f"fail requests, {action}" if hit else "fail requests, none came", f"{service} {path} {first}"
        )

    def _spark_killed(self) -> None:
        call = self._start("settle")
        killed = kill_driver(self.world.cloud, call, self.random.uniform(0, 4))
        call.result()
        self._did("kill Spark" if killed else "kill Spark, none ran", "")

    def _until_killed(self, what: str, detail: str, **arguments: Any) -> None:
        try:
            self._call("settle", **arguments)
            self._did("kill at task, not reached", detail)
        except KilledError:
            self._did(what, detail)

    # Settling

    def settle(self) -> None:
        """Let everything run to its end, sweep, and compare with the oracle.

        Raises:
            ViolationError: A law is broken.
        """
        swept, healings = False, 0
        while True:
            runs = self._call("settle")
            if broken := self._unexpected(runs):
                healings += 1
                if healings > HEALINGS:
                    raise ViolationError(f"a plain clear does not heal: {broken}")
                for run in broken:
                    self._did("heal by a plain clear", f"{run.logical_date:%FT%H} {_failed(run)}")
                    self._heal(run, healings)
            elif not swept:
                self._request_sweep()
                swept = True
            else:
                break
        self._check()

    def _heal(self, run: Run, time: int) -> None:
        """Clear what failed; the second time as the message says: of tasks out of step, or of objects that are gone."""
        if time == 1:
            tasks, downstream, only_failed = None, False, True
        else:
            gone = "refine.run" in _failed(run)
            tasks, downstream, only_failed = FIRST if gone else LOADS, True, False
        self._call(
            "clear",
            dag_id=SOURCE,
            start=run.logical_date,
            tasks=tasks,
            downstream=downstream,
            only_failed=only_failed,
        )

    def _unexpected(self, runs: list[Run]) -> list[Run]:
        """The runs that failed and should not have, or for another reason than they should have."""
        states = {state.partition.start: state for state in self.mine}
        broken = []
        for run in runs:
            if run.dag_id == SWEEPER and run.state != "success":
                raise ViolationError(f"the sweeper failed: {run}")
            if run.dag_id != SOURCE or run.logical_date not in states:
                continue
            self.tasks = sorted(run.tasks)
            state = states[run.logical_date]
            wanted = self._failure(state.partition)
            if run.state == "failed" and _failed(run) != wanted:
                broken.append(run)
        return broken

    def _failure(self, partition: Partition) -> list[str]:
        if not partition.files:
            return ["sense.wait"]
        return ["gate.account"] if expect(partition, self.version).stopped else []

    def _request_sweep(self) -> None:
        start = self.world.states[0].partition.start - timedelta(days=1)
        made = self._call("schedule", dag_id=SWEEPER, starts=[start])
        if not made:
            self._call("clear", dag_id=SWEEPER, start=start, tasks=None, downstream=False)
        self._did("sweep", "")

    def _check(self) -> None:
        found = observe.look()
        for state in self.mine:
            compare_partition(state, found, self.version, self.versions)
        states = sorted(self.world.states, key=lambda s: s.partition.start)
        if not any(s.unsure for s in states):
            observe.compare_gold([s.published for s in states if s.published], found)
        self._did("settled and compared", "")

    # Small things

    def _start(self, name: str, **arguments: Any) -> Any:
        include = {"HOURGLASS_INCLUDE": str(self.world.includes[self.version])}
        return self.world.airflow.start(name, {**self.world.proxy.variables, **include}, **arguments)

    def _call(self, name: str, **arguments: Any) -> Any:
        return self._start(name, **arguments).result()

    def _did(self, what: str, detail: str) -> None:
        self.world.done[what] += 1
        self._say(f"{what}: {detail}" if detail else what)

    def _say(self, text: str) -> None:
        self.world.say(f"  {time.strftime('%H:%M:%S')} {text}")


def _failed(run: Run) -> list[str]:
    """What failed by itself: the recording task fails with any other."""
    return sorted(
        task for task, state in run.tasks.items() if state == "failed" and task != "announce.record"
    )
