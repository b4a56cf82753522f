"""Runs one hour's DAG again and again, kills something at every place where it matters, and says what became of it.

The hour's object is replaced before each pass, so that a reader is shown one version before and the other after: what
is MIXED or nothing in between is a half-written partition, whoever was killed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import cast

from local.cloud import Cloud
from tests.chaos.scheduler import Run
from tests.chaos.warm import KilledError, WarmAirflow
from tests.faults.proxy import FaultProxy
from tests.faults.rules import Rule, Seen
from tests.kills.hour import MIXED, NOTHING, SOURCE, Hour
from tests.kills.victims import AtPhase, kill_driver, kill_service

# Requests that change something. Those that only read leave nothing, wherever they are cut off.
CHANGES = {
    "gcs": ("POST|PUT|PATCH|DELETE", r"/o\b(?!.*spark%2F)"),
    "bigquery": ("POST|PUT|PATCH|DELETE", r"/jobs\b|/queries\b|/tables/"),
    "dataproc": ("POST", "CreateBatch|CancelOperation"),
    "bigtable": ("POST", "MutateRow|CreateTable|ModifyColumnFamilies|CheckAndMutate"),
}
CHANGED_BY = {
    "sense.wait": ("gcs",),
    "refine.run": ("gcs", "dataproc"),
    "gate.load_silver": ("bigquery",),
    "gate.load_quarantine": ("bigquery",),
    "gate.account": ("bigquery",),
    "gate.validate": ("bigquery",),
    "publish.silver": ("bigquery",),
    "publish.quarantine": ("bigquery",),
    "transform.fct_github_events_model_build": ("bigquery",),
    "transform.fct_github_repo_daily_model_build": ("bigquery",),
    "serve.refresh_github_hourly_events": ("bigquery",),
    "serve.push_github_actor": ("bigquery", "gcs", "bigtable"),
    "announce.record": ("bigquery",),
}
TASKS = tuple(CHANGED_BY)
TRIES = 4  # of a task: the first, its retries, and one more for a lost process
PATIENCE_SECONDS = 600.0  # a machine may be busy; a run that makes no progress is what this is to end
# Services that the Spark job asks, and the phase after which it asks them next.
OF_THE_JOB = (
    ("credentials", "start"),
    ("gcs", "prepare"),
    ("gcs", "deduplicate"),
    ("iceberg", "deduplicate"),
    ("iceberg", "silver"),
)
PHASES = ("start", "prepare", "read", "verify", "deduplicate", "silver", "quarantine")


@dataclass(frozen=True)
class Cell:
    """One kill.

    Args:
        stage: The stage whose task was at work.
        task: That task.
        victim: What was killed.
        place: Where: a request, a phase of the Spark job, or a task's beginning or end.
        state: The task's state in Airflow's database after the kill.
        shown: What readers were shown then, by published place.
        healed: What healed it.
    """

    stage: str
    task: str
    victim: str
    place: str
    state: str
    shown: dict[str, str]
    healed: str


@dataclass
class Story:
    """A cloud, its Airflow, and one hour.

    Args:
        cloud: A running local cloud, whose variables os.environ has.
        airflow: The warm Airflow.
        proxy: In front of the services, for the killed processes alone.
        hour: The partition.
        say: Takes a line for each cell.
        cells: The kills so far.
        version: The version that was landed last.
        most: How many requests of a task and a service to kill at.
    """

    cloud: Cloud
    airflow: WarmAirflow
    proxy: FaultProxy
    hour: Hour
    say: Callable[[str], None] = print
    cells: list[Cell] = field(default_factory=list)
    version: str = ""
    most: int = 1

    def first_run(self) -> None:
        """Publish version A."""
        self.hour.land("A")
        self.version = "A"
        self.airflow.call("sync")
        self.airflow.call("schedule", dag_id=SOURCE, starts=[self.hour.start])
        self._settle()
        self.check("A")

    def replace(self) -> None:
        """Land the other version and clear the run, as the sweeper does."""
        self.version = "B" if self.version == "A" else "A"
        self.hour.land(self.version)
        self._clear()

    def kill_workers(self, task: str) -> None:
        """Kill the task's process before and after the first requests with which it changes something."""
        self._come_to(task)
        for service in CHANGED_BY.get(task, ()):
            for number, when in product(range(1, self.most + 1), ("before", "after")):
                if not self.kill_worker(task, service, number, when):
                    break
        self.heal(task)  # or the next task's first request would be this one's

    def _come_to(self, task: str) -> None:
        """Let what comes before a task succeed, so that the next request is not another task's."""
        for earlier in TASKS[: TASKS.index(task)]:
            self.heal(earlier)

    def kill_services(self, task: str) -> None:
        """Kill each service that the task changes something in: as it is asked, and when it has done it."""
        self._come_to(task)
        for service, when in product(CHANGED_BY.get(task, ()), ("before", "after")):
            self.kill_service(task, service, when)

    def kill_drivers(self, phases: Sequence[str] = PHASES) -> None:
        """Kill the Spark driver after each of the job's phases; afterwards refine has still to run."""
        self.heal("refine.run")
        self.clear("refine.run")
        for phase in phases:
            self.kill_driver_once(phase)
            self.clear("refine.run")

    def kill_driver_once(self, phase: str) -> None:
        """Kill the next driver after a phase of its job, and let Airflow retry."""
        self._kill_at_phase("Spark driver", phase, partial(kill_driver, self.cloud))

    def kill_services_of_the_job(self) -> None:
        """Kill the services that Spark itself speaks to, before the next thing that it does with them."""
        self.heal("refine.run")
        for service, phase in OF_THE_JOB:
            self.clear("refine.run")
            self._kill_at_phase(service, phase, partial(kill_service, self.cloud, service))
            self.cloud.up()

    def _kill_at_phase(self, victim: str, phase: str, kill: Callable[[], object]) -> None:
        tries = self.run().tries["refine.run"]

        def act() -> None:
            kill()
            self._note("refine.run", victim, f"after the job's phase `{phase}`", "the job, which asked again")

        thread = AtPhase(self.cloud, phase, act)
        thread.start()
        self.heal("refine.run")
        thread.join(60)
        assert thread.acted, f"no driver came to the end of {phase}, or: {thread.error!r}"
        if self.run().tries["refine.run"] > tries + 1 and self.cells[-1].healed != "a clear":
            self.cells[-1] = replace(self.cells[-1], healed="Airflow's retry")

    def finish(self) -> None:
        """Let the run end, and check what it published."""
        self._settle()
        if self._has_failed():
            self._settle()
        self.check(self.version)

    def check(self, version: str) -> None:
        """Everything is of one version, and nothing is left over."""
        run = self.run()
        assert run.state == "success", run
        assert set(self.hour.shown().values()) == {version}, self.hour.shown()
        assert not self.hour.live_batches()

    def run(self) -> Run:
        """The hour's one run."""
        (found,) = [r for r in self.airflow.call("runs", dag_id=SOURCE) if r.logical_date == self.hour.start]
        return cast(Run, found)

    def heal(self, task: str) -> None:
        """Let Airflow run until a task has succeeded, by a clear where it has no try left."""
        for _ in range(TRIES):
            if self.run().tasks[task] == "success":
                return
            self._has_failed()
            self._settle(stop_after=task)

    def _has_failed(self) -> bool:
        """Whether no try was left for a retry to heal the last kill; then a clear does."""
        if self.run().state != "failed":
            return False
        self.cells[-1] = replace(self.cells[-1], healed="a clear")
        self._clear_failed()
        return True

    def clear(self, task: str) -> None:
        """Clear one task."""
        self._clear([task])

    def kill_worker(self, task: str, service: str, number: int, when: str) -> bool:
        """Whether the kill hit: a task asks for so much and no more."""
        for _ in range(2):
            hit = self._hit_worker(task, service, number, when)
            if hit is None and not self._has_failed():
                return False
            if hit == task:
                break
            if hit:  # a task beside it asked first
                self.heal(hit)
        return hit is not None

    def _hit_worker(self, task: str, service: str, number: int, when: str) -> str | None:
        """The task that was killed."""
        method, path = CHANGES[service]
        hit: list[Seen] = []
        self._unless_done(task)
        call = self.airflow.start("settle", self.proxy.variables, dag_id=SOURCE, stop_after=task)

        def kill(seen: Seen) -> None:
            hit.append(seen)
            call.kill()

        # Killed before it, the request must not reach the service; killed after it, no answer reaches anyone.
        rule = Rule(
            service, "reset" if when == "before" else "forward", method=method, path=path, first=number
        )
        rule_id = self.proxy.add(rule, **{when: kill})
        try:
            with suppress(KilledError):
                call.result(PATIENCE_SECONDS)
        finally:
            self.proxy.remove(rule_id)
        if not hit:
            return None
        place = f"{when} {described(hit[0])}"
        healed = "Airflow's retry" if len(self.cells) % 2 else "a clear"
        at = self._note(task, "task process", place, healed)
        if healed == "a clear":
            self._clear([at])
        return at

    def kill_service(self, task: str, service: str, when: str) -> None:
        """Kill a service when a task asks it for a change, and run the task until it has succeeded."""
        method, path = CHANGES[service]
        hit: list[Seen] = []
        self._unless_done(task)

        def kill(seen: Seen) -> None:
            kill_service(self.cloud, service)
            hit.append(seen)

        was = self.run()
        rule = Rule(service, "forward" if when == "before" else "lose", method=method, path=path)
        rule_id = self.proxy.add(rule, **{when: kill})
        try:
            self._settle(stop_after=task)
        finally:
            self.proxy.remove(rule_id)
        self.cloud.up()
        if not hit:
            return
        run = self.run()
        retried = run.tries[task] > was.tries[task] + 1
        healed = "Airflow's retry" if retried else "the client, which asked again"
        failed = run.tasks[task] in ("failed", "upstream_failed")
        self._note(task, service, f"{when} {described(hit[0])}", "a clear" if failed else healed)
        if failed:
            self._clear_failed()
            self._settle(stop_after=task)

    def _unless_done(self, task: str) -> None:
        """Clear a task that has succeeded or failed, so that there is something to kill."""
        state = self.run().tasks[task]
        if state == "success":
            self._clear([task])
        elif state in ("failed", "upstream_failed"):
            self._clear_failed()

    def _clear_failed(self) -> None:
        """Clear what failed with all that follows, as one does by hand: the ledger's row is written anew."""
        failed = [task for task, state in self.run().tasks.items() if state == "failed"]
        self._clear(failed, downstream=True)

    def _settle(self, stop_after: str | None = None) -> None:
        call = self.airflow.start(
            "settle", self.proxy.variables, dag_id=SOURCE, stop_after=stop_after, seconds=PATIENCE_SECONDS
        )
        call.result(PATIENCE_SECONDS + 30)

    def _clear(self, tasks: list[str] | None = None, downstream: bool = False) -> None:
        self.airflow.call(
            "clear",
            dag_id=SOURCE,
            start=self.hour.start,
            tasks=tasks,
            downstream=downstream,
        )

    def _note(self, task: str, victim: str, place: str, healed: str) -> str:
        """Look at what was left, and keep the cell; the task that was at work."""
        run = self.run()
        at = next((t for t, state in run.tasks.items() if state == "running"), task)
        shown = as_readers_see(self.hour.shown(), self.version)
        cell = Cell(at.split(".")[0], at, victim, place, str(run.tasks[at]), shown, healed)
        self.cells.append(cell)
        self.say(f"{at}: {victim} killed {place}: {cell.state}, readers see {shown}; healed by {healed}")
        return at


def as_readers_see(shown: dict[str, str], version: str) -> dict[str, str]:
    """Old, new or, for features, old and new entities.

    Args:
        shown: What `Hour.shown` returns.
        version: The version that replaces the other.

    Raises:
        AssertionError: Something is half-written.
    """
    assert not {MIXED, NOTHING} & set(shown.values()), f"half-written: {shown}"
    names = {"A": "old", "B": "old", version: "new", "A and B": "old and new"}
    return {where: names[which] for where, which in shown.items()}


def described(seen: Seen) -> str:
    """A request, without what differs from run to run."""
    path = seen.path.partition("?")[0].rsplit("/", 1)[-1]
    return f"{seen.service} {seen.method if seen.service in ('gcs', 'bigquery') else ''} {path}".replace(
        "  ", " "
    )
