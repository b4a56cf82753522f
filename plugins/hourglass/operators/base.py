"""What the operators of one source have in common."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.google.cloud.operators.bigquery import BigQueryInsertJobOperator
from airflow.providers.google.cloud.triggers.bigquery import BigQueryInsertJobTrigger
from airflow.sdk import BaseOperator

from hourglass.cloud import bigquery as bq

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.google.cloud.hooks.bigquery import BigQueryAsyncHook
    from airflow.sdk import Context

    from hourglass.config import Platform, Source


class CloudOperator(BaseOperator):
    """An operator whose failures at Google's services speak, whichever of its methods they come from.

    A service that does not answer fails the try; a refusal fails the task at once, since no retry changes it.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Also the execute() of a provider's operator that a class inherits beside this one.
        if not hasattr(cls.execute, "explains"):
            cls.execute = _explained(cls.execute)  # type: ignore[method-assign]

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """What Airflow calls instead of execute() after a trigger's event, or its failure."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except Exception as error:
            # A trigger's failure comes as the lines of its traceback.
            _raise(self, error, "\n".join((next_kwargs or {}).get("traceback") or []))


def _explained(execute: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(execute)
    def explained(self: CloudOperator, *args: Any, **kwargs: Any) -> Any:
        try:
            return execute(self, *args, **kwargs)
        except Exception as error:
            _raise(self, error)

    explained.explains = True  # type: ignore[attr-defined]
    return explained


def _raise(operator: CloudOperator, error: Exception, words: str = "") -> NoReturn:
    from hourglass.operators.faults import explained_failure

    found = explained_failure(operator, error, words)
    if found is error:
        raise error
    raise found from error


class SourceOperator(CloudOperator):
    """An operator that works on partitions of one source.

    Args:
        source: The DAG's source.
        platform: The deployment's names.
        gcp_conn_id: The Airflow connection.
        kwargs: Passed to Airflow's base class.
    """

    def __init__(
        self,
        *,
        source: Source,
        platform: Platform,
        gcp_conn_id: str = "google_cloud_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.source = source
        self.platform = platform
        self.gcp_conn_id = gcp_conn_id


class JobTrigger(BigQueryInsertJobTrigger):
    """The provider's trigger, which asks within our bounds."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, for the triggerer."""
        return f"{type(self).__module__}.{type(self).__qualname__}", super().serialize()[1]

    def _get_async_hook(self) -> BigQueryAsyncHook:
        from hourglass.cloud.bigquery_client import PatientAsyncHook

        return PatientAsyncHook(gcp_conn_id=self.conn_id, impersonation_chain=self.impersonation_chain)


class JobOperator(CloudOperator, BigQueryInsertJobOperator):
    """A deferrable BigQuery job.

    Args:
        platform: The deployment's names.
        kwargs: Passed to the provider's operator.
    """

    def __init__(self, *, platform: Platform, **kwargs: Any) -> None:
        super().__init__(
            project_id=platform.project,
            location=platform.location,
            deferrable=True,
            poll_interval=1.0,
            **kwargs,
        )

    def defer(self, *, trigger: Any, **kwargs: Any) -> NoReturn:
        """Defer to a trigger that asks within our bounds."""
        if isinstance(trigger, BigQueryInsertJobTrigger):
            arguments = trigger.serialize()[1]
            trigger = JobTrigger(**arguments)
        super().defer(trigger=trigger, **kwargs)

    def _submit_job(self, hook: Any, job_id: str) -> Any:
        from google.api_core.exceptions import Conflict

        from hourglass.cloud.bigquery_client import PatientHook

        patient = PatientHook(gcp_conn_id=self.gcp_conn_id, impersonation_chain=self.impersonation_chain)
        try:
            return super()._submit_job(patient, job_id)
        except Conflict:
            # The id is made anew for each try, so this is our own job: the answer to its start was lost.
            self.log.info("Job %s was started already; its answer was lost", job_id)
            return patient.get_job(project_id=self.project_id, location=self.location, job_id=job_id)


class FlowJobOperator(JobOperator):
    """A BigQuery job on one flow of a source; execute() decides its configuration.

    Args:
        source: The DAG's source.
        platform: The deployment's names.
        flow: The name of the rows it works on: silver or quarantine.
        kwargs: Passed to the provider's operator.
    """

    def __init__(self, *, source: Source, platform: Platform, flow: str, **kwargs: Any) -> None:
        super().__init__(platform=platform, configuration={}, **kwargs)
        self.source = source
        self.platform = platform
        self.flow_name = flow

    @property
    def flow(self) -> bq.Flow:
        """The rows it works on; made by the task, since no DAG file needs a table's columns."""
        return bq.flows(self.source)[self.flow_name]
