"""What a person hears when a task has failed for good."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from hourglass.operators.notify import notify, receivers_of
from hourglass.operators.record import PartitionFailedError
from hourglass.run import own_partition

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

    from hourglass.config import Source


def alert_of(source: Source) -> Callable[[Context], None]:
    """The callback of a source's tasks, which Airflow calls once a task has failed and has no retry left.

    Args:
        source: The source.
    """
    return partial(_alert, source)


def _alert(source: Source, context: Context) -> None:
    ti = context["ti"]
    error = context.get("exception")
    if isinstance(error, PartitionFailedError):
        return  # the task that failed first has told of it
    # A killed worker leaves no exception.
    said = str(error) if error else "the task ended without a message; its worker was probably killed"
    partition = own_partition(context, source.grain)
    notify(
        f"{source.id} {partition.key if partition else ti.run_id}: {ti.task_id} failed",
        f"{said}\nlog: {ti.log_url}",
        "critical",
        receivers_of(source),
    )
