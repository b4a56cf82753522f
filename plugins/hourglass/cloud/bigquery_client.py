"""A BigQuery client whose every call has our bounds, also those that the provider's operators make."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from airflow.providers.google.cloud.hooks.bigquery import BigQueryAsyncHook, BigQueryHook
from airflow.providers.google.common.consts import CLIENT_INFO
from airflow.providers.google.common.hooks.base_google import PROVIDE_PROJECT_ID

from hourglass.cloud import retry as bounds

if TYPE_CHECKING:
    from google.cloud.bigquery import Client


class PatientHook(BigQueryHook):
    """The provider's hook with a client that asks within our bounds."""

    def get_client(self, project_id: str = PROVIDE_PROJECT_ID, location: str | None = None) -> Client:
        """The client; BIGQUERY_EMULATOR_HOST redirects it."""
        return _client_class()(
            client_info=CLIENT_INFO,
            project=project_id,
            location=location,
            credentials=self.get_credentials(),
            client_options=self.get_client_options(),
        )


class PatientAsyncHook(BigQueryAsyncHook):
    """The provider's asynchronous hook, which works through that one."""

    sync_hook_class = PatientHook


@cache
def _client_class() -> type[Client]:
    from google.cloud.bigquery import DEFAULT_RETRY, Client

    class PatientClient(Client):
        """The library's client: where it would take its own policy of ten minutes, it takes ours.

        Jobs have ids, so that one whose answer was lost is found instead of started again.
        """

        def _call_api(self, retry: Any, *args: Any, timeout: Any = None, **kwargs: Any) -> Any:
            # A call without a timeout waits for ever on a connection that keeps silent.
            policy = bounds.Patiently() if retry is DEFAULT_RETRY else retry
            limit = bounds.PATIENCE.request_s if timeout is None else timeout
            return super()._call_api(policy, *args, timeout=limit, **kwargs)

    return PatientClient
