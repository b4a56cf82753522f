"""Batches that nobody waits for any more: found by their labels, and cancelled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hourglass.operators.base import CloudOperator
from hourglass.operators.spark_batch import GIVEN_UP
from hourglass.operators.tasks import REFINE, push_task

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context
    from google.cloud.dataproc_v1 import Batch

    from hourglass.config import Platform, Source


class CancelOrphansOperator(CloudOperator):
    """Cancels the live batches whose task, refine or push, is done, or whose run is gone.

    A task that is marked failed or succeeded cancels its batch itself; one whose worker or triggerer was killed at
    that moment cannot. A task that will run again is left its batch, which its next try attaches to, or cancels if it
    needs another.

    Args:
        platform: The deployment's names.
        gcp_conn_id: The Airflow connection.
        kwargs: Passed to the base class.
    """

    def __init__(
        self, *, platform: Platform, gcp_conn_id: str = "google_cloud_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.platform = platform
        self.gcp_conn_id = gcp_conn_id

    def execute(self, context: Context) -> list[str]:
        """Look at every live batch.

        Returns:
            The ids of the batches that were cancelled.
        """
        from hourglass.cloud.dataproc import BatchHook, live_batches
        from hourglass.config import load_sources

        hook = BatchHook(gcp_conn_id=self.gcp_conn_id)
        sources = {source.id: source for source in load_sources(self.platform.include).sources}
        cancelled = []
        for batch in live_batches(hook, self.platform.project, self.platform.region):
            of = task_of_batch(batch, sources)
            if of is None or not given_up(_states(*of)):
                continue
            name = batch.name.rsplit("/", 1)[-1]
            hook.cancel(self.platform.project, self.platform.region, name)
            self.log.warning("Cancelled batch %s: nobody waits for it", name)
            cancelled.append(name)
        return cancelled


def task_of_batch(batch: Batch, sources: dict[str, Source]) -> tuple[str, datetime, str] | None:
    """Source, partition's start and task that a batch works for, as its spec's name says.

    Args:
        batch: A batch with our labels.
        sources: The sources by their id.

    Returns:
        None where it is no partition of ours, such as a trial on local files.
    """
    from hourglass.partition import Partition

    match (list(batch.pyspark_batch.args) or [""])[0].split("/")[3:]:
        case ["specs", source, key, _]:
            task = REFINE
        case ["pushes", source, feature_set, key, _, _]:
            task = push_task(feature_set)
        case _:
            return None
    if source not in sources:
        return None
    try:
        return source, Partition.parse(key, sources[source].grain).start, task
    except ValueError:
        return None


def given_up(states: Iterable[str | None]) -> bool:
    """Whether no task will see to a batch: each one that could is done, or there is none.

    Args:
        states: The states of the task in the partition's runs; None is one that has been cleared.
    """
    return all(state in GIVEN_UP for state in states)


def _states(dag_id: str, start: datetime, task: str) -> list[str | None]:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    found = RuntimeTaskInstance.get_task_states(dag_id=dag_id, task_ids=[task], logical_dates=[start])
    return [state for tasks in found.values() for state in tasks.values()]
