"""The one call to the Iceberg REST catalog that no Spark job makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hourglass.config import Platform

_SECONDS = 30


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
    answer = session.get(f"{platform.iceberg_uri}/v1/config", params=where, timeout=_SECONDS)
    answer.raise_for_status()
    settings = {**answer.json().get("defaults", {}), **answer.json().get("overrides", {})}
    prefix = f"{settings['prefix']}/" if settings.get("prefix") else ""
    answer = session.delete(
        f"{platform.iceberg_uri}/v1/{prefix}namespaces/{namespace}/tables/{table}",
        params={"purgeRequested": "true"},
        timeout=_SECONDS,
    )
    if answer.status_code == 404:
        return False
    answer.raise_for_status()
    return True
