"""Which outcome each task of a run worked on.

A person may clear single tasks, in any order. So a task hands on the outcome it worked on, and a later one takes it
only from where all agree: nothing is published that the gate did not see, and the ledger names what is published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowFailException

from hourglass.failure import explain
from hourglass.operators.tasks import REFINE

if TYPE_CHECKING:
    from airflow.sdk import Context
    from google.cloud.bigquery import Client, Table

    from hourglass.cloud.bigquery import TableName
    from hourglass.config import Source
    from hourglass.partition import Partition

_KEY = "outcome"


def hand_on(context: Context, outcome: str | None) -> None:
    """Say which outcome this task has worked on; Airflow forgets it when the task starts again.

    Args:
        context: Airflow's template context.
        outcome: The outcome's URI.
    """
    context["ti"].xcom_push(key=_KEY, value=outcome)


def handed_on(context: Context, *tasks: str) -> dict[str, str | None]:
    """The outcomes that tasks of this run have worked on; None of a task that did not end.

    Args:
        context: Airflow's template context.
        tasks: The tasks' ids.
    """
    return {task: context["ti"].xcom_pull(task_ids=task, key=_KEY) for task in tasks}


def taken_from(task: str) -> Callable[[Context], None]:
    """A hook for `pre_execute`: a task works on the outcome that another one has handed on.

    Args:
        task: The other task's id.
    """
    return partial(_take, task)


def _take(task: str, context: Context) -> None:
    hand_on(context, handed_on(context, task)[task])


def agreed(found: Mapping[str, str | None]) -> str | None:
    """The outcome that all tasks worked on; None where they differ, or where one has none.

    Batches of one spec come to the same rows (law 2), so that it does not matter which of them wrote the outcome.

    Args:
        found: Outcomes by task.
    """
    outcomes = [outcome or "" for outcome in found.values()]
    same = len({outcome.rpartition("-")[0] for outcome in outcomes}) == 1
    return (outcomes[0] or None) if same else None


def in_step(source: Source, partition: Partition, found: Mapping[str, str | None]) -> str:
    """The outcome that all tasks worked on.

    Args:
        source: The source.
        partition: The partition.
        found: Outcomes by task.

    Raises:
        AirflowFailException: They worked on different ones.
    """
    outcome = agreed(found)
    if outcome is None:
        raise out_of_step(
            source, partition, f"; nothing was published. Each worked on:\n    {described(found)}"
        )
    return outcome


def out_of_step(
    source: Source, partition: Partition, how: str, next_step: str = "clear `gate` and downstream"
) -> AirflowFailException:
    """The failure of a task that finds something else than the tasks before it have left; no retry changes that.

    Args:
        source: The source.
        partition: The partition.
        how: What is out of step, as the sentence goes on.
        next_step: What to do next.
    """
    return AirflowFailException(
        explain(
            f"the tasks of {source.id} {partition.key} are out of step{how}",
            where="tasks that were cleared alone, without what comes after them",
            next_step=next_step,
            heading="tasks-out-of-step",
            runbook=source.file.runbook,
        )
    )


def no_outcome(source: Source, partition: Partition) -> AirflowFailException:
    """The failure of a task that needs the outcome of a refine that has none, as long as it runs or has failed.

    Args:
        source: The source.
        partition: The partition.
    """
    how = f"; nothing was published: {REFINE} was started again and has no result"
    return out_of_step(source, partition, how, "clear `refine` and downstream")


def candidate_table(client: Client, source: Source, partition: Partition, name: TableName) -> Table:
    """The candidate that the gate has loaded.

    Args:
        client: The BigQuery client.
        source: The source.
        partition: The partition.
        name: The candidate's name.

    Raises:
        AirflowFailException: It is gone.
    """
    from google.api_core.exceptions import NotFound

    try:
        return client.get_table(str(name))
    except NotFound:
        how = f": candidate {name} is gone; it has expired (`retention.candidate`), or is being loaded anew"
        raise out_of_step(source, partition, how) from None


def described(found: Mapping[str, str | None]) -> str:
    """The outcomes of tasks, a line each, for a message."""
    return "\n    ".join(f"{task}: {outcome or 'none'}" for task, outcome in found.items())
