"""The one call to the Iceberg REST catalog that no Spark job makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hourglass.cloud import retry

if TYPE_CHECKING:
    from hourglass.config import Platform


def drop_table(platform: Platform, namespace: str, table: str) -> bool:
    """Drop a table with its data files.

    Args:
        platform: The deployment's names.
        namespace: The table's namespace in the catalog.
        table: The table.

    Returns:
        Whether there was one.

    Raises:
        requests.HTTPError: The catalog refuses.
    """
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook
    from google.auth.transport.requests import AuthorizedSession

    session = AuthorizedSession(GoogleBaseHook().get_credentials())
    session.headers["x-goog-user-project"] = platform.project
    where = {"warehouse": f"gs://{platform.lake_bucket}"}
    answer = _ask(session.get, f"{platform.iceberg_uri}/v1/config", where)
    settings = {**answer.json().get("defaults", {}), **answer.json().get("overrides", {})}
    prefix = f"{settings['prefix']}/" if settings.get("prefix") else ""
    answer = _ask(
        session.delete,
        f"{platform.iceberg_uri}/v1/{prefix}namespaces/{namespace}/tables/{table}",
        {"purgeRequested": "true"},
    )
    return bool(answer.status_code != 404)


def _ask(method: Any, url: str, parameters: dict[str, str]) -> Any:
    """Ask until there is an answer; 404 is one, also of a deletion whose first answer was lost."""

    def ask() -> Any:
        answer = method(url, params=parameters, timeout=retry.PATIENCE.request_s)
        if answer.status_code != 404:
            answer.raise_for_status()
        return answer

    return retry.Patiently()(ask)()
