"""Airflow's scheduler, executor and triggerer in one thread: real database, real decisions, real task runner.

Every function runs in a process forked for it (see warm.py), which may be killed at any moment. What Airflow has in
its database then is all that the next process knows, as it would be after the death of a worker.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.chaos.kill import Kill, Plan

UNFINISHED = ("queued", "running")


@dataclass(frozen=True)
class Run:
    """A DAG run as the database has it."""

    dag_id: str
    run_id: str
    logical_date: datetime | None
    state: str
    tasks: dict[str, str | None] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)


def serve(environment: dict[str, str], log: str, answer: Any, name: str, arguments: dict[str, Any]) -> None:
    """The whole life of a forked process: one function, its output in a file.

    Args:
        environment: What to change in the environment.
        log: The file that its output is added to.
        answer: The connection that takes `("done", result)` or `("raised", text)`.
        name: One of the functions below, or any other's `module:name`.
        arguments: Its arguments.
    """
    import traceback

    with open(log, "a") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.environ.update(environment)
    from airflow import settings

    settings.configure_orm()
    try:
        module, _, function = name.rpartition(":")
        result = getattr(importlib.import_module(module or __name__), function)(**arguments)
        answer.send(("done", result))
    except BaseException:
        traceback.print_exc()
        answer.send(("raised", traceback.format_exc()))
    answer.close()
    # Threads of clients and of the in-process API would keep the interpreter waiting.
    os._exit(0)


def sync() -> list[str]:
    """Parse the DAGs folder into the database, as the DAG processor does.

    Returns:
        The ids of the DAGs.
    """
    return sorted(_parse())


def schedule(dag_id: str, starts: Iterable[datetime]) -> list[str]:
    """Make the scheduled runs of some partitions, as the scheduler does when their intervals end.

    Args:
        dag_id: The DAG.
        starts: The partitions' starts; those that have a run are left alone.

    Returns:
        The ids of the runs that were made.
    """
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    _parse()
    made = []
    with create_session() as session:
        dag = _scheduler_dag(dag_id, session)
        for start in starts:
            if _run_at(session, dag_id, start) is not None:
                continue
            (info,) = dag.iter_dagrun_infos_between(start, start)
            run_id = DagRun.generate_run_id(
                run_type=DagRunType.SCHEDULED, logical_date=start, run_after=info.run_after
            )
            dag.create_dagrun(
                run_id=run_id,
                logical_date=start,
                data_interval=info.data_interval,
                run_after=info.run_after,
                run_type=DagRunType.SCHEDULED,
                triggered_by=DagRunTriggeredByType.TIMETABLE,
                state="queued",
                session=session,
            )
            made.append(run_id)
    return made


def backfill(dag_id: str, first: datetime, last: datetime, reprocess: str) -> int:
    """`airflow backfill create` over a range.

    Args:
        dag_id: The DAG.
        first: The first partition's start.
        last: The last partition's start.
        reprocess: Which runs to run again: none, failed or completed.

    Returns:
        The backfill's id.
    """
    from airflow.models.backfill import Backfill, ReprocessBehavior, _create_backfill
    from airflow.utils.session import create_session
    from sqlalchemy import update

    _parse()
    with create_session() as session:  # the scheduler ends those whose runs are finished
        session.execute(update(Backfill).values(completed_at=datetime.now(tz=UTC)))
    made = _create_backfill(
        dag_id=dag_id,
        from_date=first,
        to_date=last,
        max_active_runs=2,
        reverse=False,
        dag_run_conf={},
        triggering_user_name="chaos",
        reprocess_behavior=ReprocessBehavior(reprocess),
    )
    return int(made.id)


def clear(
    dag_id: str, start: datetime, tasks: list[str] | None, downstream: bool, only_failed: bool = False
) -> int:
    """Clear tasks of a partition's run, in whatever state they are.

    Args:
        dag_id: The DAG.
        start: The partition's start.
        tasks: The tasks' ids, or None for all.
        downstream: With everything that depends on them.
        only_failed: Only those that failed, or could not start because of one.

    Returns:
        How many task instances were cleared.
    """
    from airflow.utils.session import create_session

    with create_session() as session:
        dag = _scheduler_dag(dag_id, session)
        run = _run_at(session, dag_id, start)
        if run is None:
            return 0
        chosen = tasks
        if tasks is not None and downstream:
            chosen = sorted(
                dag.partial_subset(tasks, include_downstream=True, include_upstream=False).task_ids
            )
        return int(dag.clear(task_ids=chosen, run_id=run.run_id, only_failed=only_failed, session=session))


def runs(dag_id: str | None = None) -> list[Run]:
    """The runs of a DAG, or of all, oldest logical date first."""
    from airflow.utils.session import create_session

    with create_session() as session:
        return [_described(run, session) for run in _select(session, dag_id)]


def settle(
    dag_id: str | None = None, kill: Kill | None = None, stop_after: str | None = None, seconds: float = 900.0
) -> list[Run]:
    """Run until no run is unfinished, first of all what a killed process left half-way.

    Args:
        dag_id: Only this DAG's runs.
        kill: Where this process is to die.
        stop_after: Return as soon as this task is finished in any run, and leave the rest unfinished.
        seconds: When to give up.

    Returns:
        All runs.

    Raises:
        TimeoutError: A run was not finished in time.
    """
    from airflow.utils.session import create_session

    deadline = time.monotonic() + seconds
    dags = _parse()
    plan = Plan(kill)
    with create_session() as session, plan.watching():
        _bury(session, dags)
        while unfinished := _unfinished(session, dag_id, dags):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not finished: {[_described(r, session) for r in unfinished]}")
            moved = [_advance(run, dags, session, plan, stop_after) for run in unfinished]
            if not any(moved):
                time.sleep(0.05)
            if stop_after and stop_after in plan.done:
                break
        return [_described(run, session) for run in _select(session, dag_id)]


def _parse() -> dict[str, Any]:
    """The DAGs, whose retries do not wait; written to the database where they have changed."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    (bundle,) = [b for b in manager.get_all_dag_bundles() if b.name == "dags-folder"]
    bundle.initialize()
    bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
    if bag.import_errors:
        raise ImportError("\n".join(bag.import_errors.values()))
    for dag in bag.dags.values():
        for task in dag.tasks:
            task.retry_delay = timedelta(0)
            task.retry_exponential_backoff = 0
    sync_bag_to_db(bag, bundle.name, bundle.version)
    return dict(bag.dags)


def _scheduler_dag(dag_id: str, session: Any) -> Any:
    from airflow.models.serialized_dag import SerializedDagModel

    found = session.scalar(SerializedDagModel.latest_item_select_object(dag_id))
    assert found is not None, f"DAG {dag_id} is not in the database"
    return found.dag


def _select(session: Any, dag_id: str | None) -> list[Any]:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import select

    session.expire_all()
    wanted = select(DagRun).order_by(DagRun.logical_date, DagRun.id)
    if dag_id is not None:
        wanted = wanted.where(DagRun.dag_id == dag_id)
    return list(session.scalars(wanted))


def _run_at(session: Any, dag_id: str, start: datetime) -> Any | None:
    return next((run for run in _select(session, dag_id) if run.logical_date == start), None)


def _described(run: Any, session: Any) -> Run:
    instances = run.get_task_instances(session=session)
    return Run(
        run.dag_id,
        run.run_id,
        run.logical_date,
        str(run.state),
        {ti.task_id: ti.state and str(ti.state) for ti in instances},
        {ti.task_id: ti.try_number for ti in instances},
    )


def _unfinished(session: Any, dag_id: str | None, dags: dict[str, Any]) -> list[Any]:
    """The runs to work on; those of DAGs that this include folder does not have are somebody else's."""
    return [r for r in _select(session, dag_id) if str(r.state) in UNFINISHED and r.dag_id in dags]


def _bury(session: Any, dags: dict[str, Any]) -> None:
    """Fail or retry what a killed process was running, as the scheduler does when the heartbeat ends."""
    for run in _unfinished(session, None, dags):
        dag = _scheduler_dag(run.dag_id, session)
        for ti in run.get_task_instances(session=session):
            ti.task = dag.get_task(ti.task_id)
            if ti.state == "running":
                ti.handle_failure("Task did not emit heartbeat within time limit", session=session)
            elif ti.state == "restarting":  # cleared while it ran
                ti.set_state(None, session=session)
            elif ti.state == "queued":  # lost on its way to a worker: the executor's queue is empty
                ti.set_state("scheduled", session=session)
        session.commit()


def _advance(run: Any, dags: dict[str, Any], session: Any, plan: Plan, stop_after: str | None) -> bool:
    """One round of the scheduler, the executor and the triggerer for a run.

    Returns:
        Whether anything happened.
    """
    from airflow.utils import timezone

    run.dag = _scheduler_dag(run.dag_id, session)
    if str(run.state) == "queued":
        run.state = "running"
        run.start_date = run.start_date or timezone.utcnow()
        session.commit()
    schedulable, _ = run.update_state(session=session)
    run.schedule_tis(schedulable, session=session)
    session.commit()
    session.expire_all()
    moved = False
    for ti in run.get_task_instances(state=["scheduled", "deferred"], session=session):
        if stop_after and stop_after in plan.done:
            break
        if ti.state == "scheduled":
            _work(ti, dags[run.dag_id].get_task(ti.task_id), session, plan)
        else:
            _trigger(ti, session, plan)
        moved = True
    return moved


def _work(ti: Any, task: Any, session: Any, plan: Plan) -> None:
    """Run a task as a worker does."""
    from airflow.sdk.execution_time.supervisor import run_task_in_process

    identity, task_id, run = _identity(ti), ti.task_id, ti.dag_run
    ti.set_state("queued", session=session)
    session.commit()
    plan.at(task_id, "before")
    try:
        run_task_in_process(ti=identity, task=task)
    finally:
        session.expire_all()
    # Found anew: a task that is to be tried again has a row with another id.
    if run.get_task_instance(task_id, session=session).state != "deferred":
        plan.at(task_id, "after")


def _trigger(ti: Any, session: Any, plan: Plan) -> None:
    """Run a deferred task's trigger to its first event, as the triggerer does."""
    from airflow.models.trigger import Trigger
    from airflow.sdk._shared.module_loading import import_string
    from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor
    from airflow.serialization.decoders import smart_decode_trigger_kwargs
    from airflow.triggers.base import TriggerEvent

    plan.at(ti.task_id, "trigger")
    row = session.get(Trigger, ti.trigger_id)
    arguments = {k: smart_decode_trigger_kwargs(v) for k, v in row.kwargs.items()}
    trigger = import_string(row.classpath)(**arguments)
    identity, trigger_id = _identity(ti), row.id
    session.commit()
    event = InProcessTestSupervisor.run_trigger_in_process(trigger=trigger, ti=identity)
    assert isinstance(event, TriggerEvent), f"the trigger of {identity.task_id} ended without an event"
    Trigger.submit_event(trigger_id, event, session=session)
    session.commit()


def _identity(ti: Any) -> Any:
    from airflow.sdk.api.datamodels._generated import TaskInstance

    return TaskInstance(
        id=UUID(str(ti.id)),
        task_id=ti.task_id,
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        try_number=ti.try_number,
        map_index=ti.map_index,
        dag_version_id=UUID(str(ti.dag_version_id)),
    )
