"""The first task of every run: a run that stands for no partition hands over to the partition's own run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.python import ShortCircuitOperator

from hourglass.failure import explain
from hourglass.operators.rerun import rerun
from hourglass.run import own_partition, requested_partition

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Context

    from hourglass.partition import Grain


class AdmitOperator(ShortCircuitOperator):
    """Lets a working run pass; redirects any other one and skips the rest of it.

    Args:
        grain: How the DAG's time is cut.
        first: The first start for which the DAG has runs.
        set_in: Where that is set.
        kwargs: Passed to the operator's base class.
    """

    def __init__(self, *, grain: Grain, first: datetime, set_in: str, **kwargs: Any) -> None:
        super().__init__(python_callable=_always, **kwargs)
        self.grain = grain
        self.first = first
        self.set_in = set_in

    def execute(self, context: Context) -> Any:
        """Decide, redirect, or let pass.

        Returns:
            The key of the run's own partition, or False after a redirection.
        """
        partition = own_partition(context, self.grain)
        if partition is None:
            self._redirect(context)
        self.python_callable = lambda: partition.key if partition else False
        return super().execute(context)

    def _redirect(self, context: Context) -> None:
        wanted = requested_partition(context, self.grain)
        if wanted.start < self.first:
            raise ValueError(
                explain(
                    f"{wanted.key} is before this DAG's start_date {self.first:%Y-%m-%d}: Airflow would turn "
                    "such a run green without running a task",
                    where=self.set_in,
                    next_step="choose a later partition, or move start_date back",
                    heading="partition-before-start-date",
                )
            )
        dag_id = self.dag_id
        result = rerun(dag_id, wanted, f"asked for by run {context['dag_run'].run_id}")
        did = (
            "cleared"
            if result.cleared
            else "created"
            if result.started
            else "is in flight and was left alone"
        )
        self.log.info(
            "This run processes nothing itself: %s %s of %s %s. See /dags/%s/runs/%s",
            "run", result.run_id, wanted.key, did, dag_id, result.run_id,
        )  # fmt: skip


def _always() -> bool:
    return True
