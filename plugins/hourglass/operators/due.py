"""What runs once a week in a daily DAG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.python import ShortCircuitOperator

from hourglass.config.warehouse import WEEKDAYS, Weekday
from hourglass.partition import Grain
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context


class DueOperator(ShortCircuitOperator):
    """Lets the run of one day of the week pass, and skips what follows on the others.

    Args:
        weekday: The day.
        kwargs: Passed to the operator's base class.
    """

    def __init__(self, *, weekday: Weekday, **kwargs: Any) -> None:
        super().__init__(python_callable=_unset, **kwargs)
        self.weekday = weekday

    def execute(self, context: Context) -> Any:
        """Compare the run's own day."""
        day = partition_of(context, Grain.DAY).start
        self.python_callable = lambda: WEEKDAYS[day.weekday()] == self.weekday
        return super().execute(context)


def _unset() -> bool:
    return False
