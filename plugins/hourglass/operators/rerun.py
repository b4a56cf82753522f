"""Run a partition again: clear the one run it has, or create it. Speaks only to the task's supervisor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from hourglass.partition import Partition

LIVE_STATES = ("running", "queued")
_NOT_BEGUN = (None, "scheduled", "queued")


@dataclass(frozen=True, slots=True)
class Rerun:
    """What became of a request to run a partition.

    Args:
        run_id: The partition's one run.
        started: False when that run was in flight already and was left alone.
        cleared: True when the run had existed and was cleared, False when it was created.
    """

    run_id: str
    started: bool
    cleared: bool


def run_of(dag_id: str, partition: Partition) -> Any | None:
    """The run whose logical date is the partition's start, whoever created it and whatever its id."""
    from airflow.sdk.execution_time.comms import GetPreviousDagRun

    run = _ask(GetPreviousDagRun(dag_id=dag_id, logical_date=_just_after(partition))).dag_run
    return run if run and run.logical_date == partition.start else None


def in_flight(dag_id: str, partition: Partition) -> bool:
    """Whether the partition's run is running or waits to."""
    run = run_of(dag_id, partition)
    return run is not None and run.state in LIVE_STATES


def begins_after(dag_id: str, partition: Partition, task_id: str, moment: datetime) -> bool:
    """Whether a task of the partition's run has begun after a moment, or is still to begin.

    Args:
        dag_id: The source's DAG.
        partition: The partition.
        task_id: The task.
        moment: The moment.
    """
    from airflow.sdk.execution_time.comms import GetPreviousTI

    question = GetPreviousTI(dag_id=dag_id, task_id=task_id, logical_date=_just_after(partition))
    ti = _ask(question).task_instance
    if ti is None or ti.logical_date != partition.start:
        return False
    return ti.state in _NOT_BEGUN or (ti.start_date is not None and ti.start_date > moment)


def rerun(dag_id: str, partition: Partition, why: str, spare: Collection[str] = LIVE_STATES) -> Rerun:
    """Clear or create the partition's own run, unless it is in flight.

    Args:
        dag_id: The source's DAG.
        partition: The partition to run.
        why: The reason, kept in the conf of a created run.
        spare: In which of its states the run is left alone.
    """
    from airflow.sdk.execution_time.comms import TriggerDagRun

    run = run_of(dag_id, partition)
    if run is not None and run.state in spare:
        return Rerun(run.run_id, started=False, cleared=False)
    run_id = run.run_id if run is not None else f"rerun__{partition.key}"
    request = TriggerDagRun(
        dag_id=dag_id,
        run_id=run_id,
        logical_date=partition.start,
        run_after=partition.end,
        conf={"why": why},
        reset_dag_run=True,
    )
    response = _ask(request)
    if error := getattr(response, "error", None):
        raise RuntimeError(f"Airflow refused to run {dag_id} for {partition.key}: {error}")
    return Rerun(run_id, started=True, cleared=run is not None)


def _just_after(partition: Partition) -> datetime:
    return partition.start + timedelta(microseconds=1)


def _ask(message: Any) -> Any:
    from airflow.sdk.execution_time import task_runner

    return task_runner.SUPERVISOR_COMMS.send(message)
