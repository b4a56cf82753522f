"""The first task of every run: a run that stands for no partition hands over to the partition's own run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.python import ShortCircuitOperator

from hourglass.failure import explain
from hourglass.operators.rerun import rerun
from hourglass.run import own_partition, requested_partition

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Source


class AdmitOperator(ShortCircuitOperator):
    """Lets a working run pass; redirects any other one and skips the rest of it.

    Args:
        source: The DAG's source.
        kwargs: Passed to the operator's base class.
    """

    def __init__(self, *, source: Source, **kwargs: Any) -> None:
        super().__init__(python_callable=_always, **kwargs)
        self.source = source

    def execute(self, context: Context) -> Any:
        """Decide, redirect, or let pass.

        Returns:
            The key of the run's own partition, or False after a redirection.
        """
        partition = own_partition(context, self.source.grain)
        if partition is None:
            self._redirect(context)
        self.python_callable = lambda: partition.key if partition else False
        return super().execute(context)

    def _redirect(self, context: Context) -> None:
        wanted = requested_partition(context, self.source.grain)
        first = datetime.combine(self.source.file.ingestion.start_date, datetime.min.time(), tzinfo=UTC)
        if wanted.start < first:
            raise ValueError(
                explain(
                    f"{wanted.key} is before this source's start_date {first:%Y-%m-%d}: Airflow would turn "
                    "such a run green without running a task",
                    where=f"include/sources/{self.source.id}.yaml, ingestion.start_date",
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
