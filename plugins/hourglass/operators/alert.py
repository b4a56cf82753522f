"""What a person hears when a task has failed for good."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hourglass.operators.notify import notify
from hourglass.operators.record import PartitionFailedError
from hourglass.run import own_partition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Context

    from hourglass.partition import Grain


def alert_of(dag: str, grain: Grain, receivers: Mapping[str, str]) -> Callable[[Context], None]:
    """The callback of a DAG's tasks, which Airflow calls once a task has failed and has no retry left.

    Args:
        dag: What the title says has failed.
        grain: How the DAG's time is cut.
        receivers: Who hears of it, by way.
    """
    return partial(_alert, dag, grain, receivers)


def _alert(dag: str, grain: Grain, receivers: Mapping[str, str], context: Context) -> None:
    ti = context["ti"]
    error = context.get("exception")
    if isinstance(error, PartitionFailedError):
        return  # the task that failed first has told of it
    # A killed worker leaves no exception.
    said = str(error) if error else "the task ended without a message; its worker was probably killed"
    partition = own_partition(context, grain)
    notify(
        f"{dag} {partition.key if partition else ti.run_id}: {ti.task_id} failed",
        f"{said}\nlog: {ti.log_url}",
        "critical",
        receivers,
    )
