"""How long a request waits for the end of its partition's run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from hourglass.operators.admit import ASK_EVERY, ASK_FOR, AdmitOperator
from hourglass.partition import Grain, Partition

NOW = datetime.now(tz=UTC)
WANTED = Partition.parse("2021-07-21T06")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def admit() -> AdmitOperator:
    return AdmitOperator(
        task_id="admit", grain=Grain.HOUR, first=datetime(2015, 1, 1, tzinfo=UTC), set_in="x"
    )


@pytest.mark.parametrize("waited", [timedelta(0), ASK_FOR - MINUTE])
def test_a_request_asks_again_soon(admit: AdmitOperator, waited: timedelta) -> None:
    with pytest.raises(TaskDeferred) as found:
        admit._ask_again("rerun__2021-07-21T06", WANTED, NOW - waited)
    assert found.value.method_name == "execute"
    assert ASK_EVERY <= found.value.trigger.moment - NOW < ASK_EVERY + MINUTE


def test_a_request_that_has_waited_too_long_fails_for_good_and_says_what_to_do(admit: AdmitOperator) -> None:
    with pytest.raises(AirflowFailException) as failed:
        admit._ask_again("rerun__2021-07-21T06", WANTED, NOW - ASK_FOR - MINUTE)
    message = str(failed.value)
    assert "run rerun__2021-07-21T06 of 2021-07-21T06 has been in flight for 3 hours" in message
    assert "/runs/rerun__2021-07-21T06" in message
    assert "when it has ended, clear this task" in message
    assert message.endswith("docs/runbook.md#run-in-flight")
