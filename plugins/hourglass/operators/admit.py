"""The first task of every run: a run that stands for no partition hands over to the partition's own run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk.exceptions import AirflowFailException

from hourglass.failure import explain
from hourglass.operators.rerun import begins_after, rerun
from hourglass.run import own_partition, requested_partition

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.partition import Grain, Partition

ASK_EVERY = timedelta(seconds=30)
# Minutes are usual for a run. While a request waits it holds one of the DAG's places for runs, so not for ever.
ASK_FOR = timedelta(hours=3)
# A run that waits for files has told of its last look at them by then.
TOLD_WITHIN = timedelta(minutes=5)


class AdmitOperator(ShortCircuitOperator):
    """Lets a working run pass; redirects any other one and skips the rest of it.

    A request for a partition whose run is in flight waits, deferred, until that run has ended: it has frozen its
    list of files, so that what has landed since would be forgotten. Only for a run that is running, which has its
    place among the DAG's active runs: one that is queued could be waiting for the place that the request holds.

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

    def execute(self, context: Context, event: Any = None) -> Any:
        """Decide, redirect, or let pass.

        Args:
            context: Airflow's template context.
            event: That it is time to ask again.

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
        dag_id, request = self.dag_id, context["dag_run"]
        asked = request.start_date or datetime.now(tz=UTC)
        result = rerun(dag_id, wanted, f"asked for by run {request.run_id}", spare=("running",))
        if not result.started and not self._takes_in(result.run_id, wanted, asked):
            self._ask_again(result.run_id, wanted, asked)
        did = (
            "cleared"
            if result.cleared
            else "created"
            if result.started
            else "is in flight and takes in what had landed before this request"
        )
        self.log.info(
            "This run processes nothing itself: %s %s of %s %s. See /dags/%s/runs/%s",
            "run", result.run_id, wanted.key, did, dag_id, result.run_id,
        )  # fmt: skip

    def _takes_in(self, run_id: str, wanted: Partition, asked: datetime) -> bool:
        """Whether a run in flight looks at the partition's files after this request."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        if begins_after(self.dag_id, wanted, self.task_id, asked):
            return True
        if datetime.now(tz=UTC) - asked < TOLD_WITHIN:
            return False
        next_ones = sorted(self.downstream_task_ids)
        found = RuntimeTaskInstance.get_task_states(
            dag_id=self.dag_id, task_ids=next_ones, run_ids=[run_id]
        ).get(run_id, {})
        return bool(found) and all(state in (None, "deferred") for state in found.values())

    def _ask_again(self, run_id: str, wanted: Partition, asked: datetime) -> NoReturn:
        """Wait a moment for the end of the partition's run.

        Raises:
            AirflowFailException: It has been in flight for too long.
        """
        now = datetime.now(tz=UTC)
        if now - asked > ASK_FOR:
            raise AirflowFailException(
                explain(
                    f"run {run_id} of {wanted.key} has been in flight for {ASK_FOR.total_seconds() / 3600:.0f} hours "
                    "since this request, so it was not run again; what landed after its list of files was frozen "
                    "is not taken in",
                    where=f"/dags/{self.dag_id}/runs/{run_id}",
                    next_step="see what that run waits for; when it has ended, clear this task, which asks again",
                    heading="run-in-flight",
                )
            )
        self.log.info("Run %s of %s is in flight; asked again when it has ended", run_id, wanted.key)
        self.defer(trigger=DateTimeTrigger(moment=now + ASK_EVERY), method_name="execute")


def _always() -> bool:
    return True
