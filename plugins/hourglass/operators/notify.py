"""Tell people: one JSON message to the webhook of the Airflow connection `hourglass_alerts`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hourglass.config import Source

CONNECTION = "hourglass_alerts"
log = logging.getLogger(__name__)


def notify(title: str, text: str, severity: str, receivers: Mapping[str, str] | None = None) -> bool:
    """Post a message; a notification that cannot be sent is logged and never fails its task.

    Args:
        title: One line.
        text: The details.
        severity: critical, warning or info.
        receivers: Who should hear of it, by way: e-mail address, Slack channel, PagerDuty service. The webhook
            routes the message.

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
    body = {"title": title, "text": text, "severity": severity, "receivers": dict(receivers or {})}
    try:
        httpx.post(str(connection.host), json=body, headers=token, timeout=10.0).raise_for_status()
    except httpx.HTTPError as error:
        log.warning("Not sent to connection %s: %s", CONNECTION, error)
        return False
    return True


def receivers_of(source: Source) -> dict[str, str]:
    """Who hears of a source, by way."""
    monitoring = source.file.monitoring
    ways = {"email": monitoring.alert_email, "slack": monitoring.slack, "pagerduty": monitoring.pagerduty}
    return {way: who for way, who in ways.items() if who}
