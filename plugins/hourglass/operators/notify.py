"""Tell people: one JSON message to the webhook of the Airflow connection `hourglass_alerts`."""

from __future__ import annotations

import logging

CONNECTION = "hourglass_alerts"
log = logging.getLogger(__name__)


def notify(title: str, text: str, severity: str) -> bool:
    """Post a message; a notification that cannot be sent is logged and never fails its task.

    Args:
        title: One line.
        text: The details.
        severity: critical, warning or info.

    Returns:
        Whether it was sent.
    """
    import httpx
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    log.warning("%s: %s\n%s", severity, title, text)
    try:
        connection = BaseHook.get_connection(CONNECTION)
    except AirflowNotFoundException:
        log.warning("Not sent: there is no Airflow connection %s; create one of type HTTP", CONNECTION)
        return False
    token = {"Authorization": f"Bearer {connection.password}"} if connection.password else {}
    body = {"title": title, "text": text, "severity": severity}
    try:
        httpx.post(str(connection.host), json=body, headers=token, timeout=10.0).raise_for_status()
    except httpx.HTTPError as error:
        log.warning("Not sent to connection %s: %s", CONNECTION, error)
        return False
    return True
