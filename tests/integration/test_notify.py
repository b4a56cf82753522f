"""What is recorded without stopping a partition also reaches people."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hourglass.operators.notify import notify


def sent(cloud: Any) -> list[dict[str, str]]:
    file = cloud.layout.alerts
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_notification_reaches_the_webhook_of_the_connection(cloud: Any) -> None:
    before = len(sent(cloud))
    assert notify("github 2021-07-21T06: 1 expectations not met", "[warning] too few rows", "warning")
    (message,) = sent(cloud)[before:]
    assert message["title"] == "github 2021-07-21T06: 1 expectations not met"
    assert (message["severity"], message["text"]) == ("warning", "[warning] too few rows")


@pytest.mark.parametrize(
    "connection", [None, '{"conn_type": "http", "host": "http://127.0.0.1:9/alerts"}'], ids=["none", "down"]
)
def test_what_cannot_be_sent_is_logged_and_fails_nothing(
    cloud: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, connection: str | None
) -> None:
    if connection is None:
        monkeypatch.delenv("AIRFLOW_CONN_HOURGLASS_ALERTS")
    else:
        monkeypatch.setenv("AIRFLOW_CONN_HOURGLASS_ALERTS", connection)
    assert notify("a title", "some text", "warning") is False
    assert "Not sent" in caplog.text
    assert "some text" in caplog.text
