"""The daily DAG's first task: wait, deferred, until the ledger has the day's partitions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from hourglass.cloud import bigquery as bq
from hourglass.cloud import quarantine_actions
from hourglass.failure import explain
from hourglass.ledger import store
from hourglass.ledger.day import QUERY, rows_of_day
from hourglass.operators.base import CloudOperator
from hourglass.operators.look import Looked, LookTrigger
from hourglass.operators.notify import notify
from hourglass.partition import Grain, Partition
from hourglass.partition.day import Awaited, DayReadiness, DayRule, DayVerdict, assess_day
from hourglass.run import partition_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from hourglass.config import Platform


def look_at_day(where: Mapping[str, Any], now: datetime) -> DayReadiness:
    """Judge the day once.

    Args:
        where: What `WaitForDay` gives its trigger, as JSON values.
        now: The current time.
    """
    from hourglass.cloud.bigquery_client import PatientHook

    hook = PatientHook(gcp_conn_id=where["gcp_conn_id"], location=where["location"])
    client = hook.get_client(project_id=where["project"], location=where["location"])
    day = Partition.parse(where["day"], Grain.DAY)
    awaited = {
        source: Awaited(Grain.of(grain), datetime.fromisoformat(first))
        for source, (grain, first) in where["sources"].items()
    }
    rule = DayRule(where["share"], timedelta(seconds=where["give_up_after"]))
    return assess_day(day, awaited, rows_of_day(client, where["sql"], awaited, day), rule, now)


class DayTrigger(LookTrigger):
    """Asks the ledger until the day is ready, or waiting is over; `where` is what `look_at_day` takes."""

    def look(self, now: datetime) -> Looked:
        """Ask once."""
        found = look_at_day(self.where, now)
        waiting = found.verdict is DayVerdict.WAITING
        return Looked(found.reason, None if waiting else {"verdict": found.verdict.value})


class WaitForDay(CloudOperator):
    """Waits until the day's partitions are published, and returns the dates to compute again, and the week that ends.

    Args:
        platform: The deployment's names.
        sources: The sources that daily models read, by their id.
        rule: When to begin.
        poll_seconds: Time between two questions while deferred.
        gcp_conn_id: The Airflow connection.
        kwargs: Passed to Airflow's base class.
    """

    def __init__(
        self,
        *,
        platform: Platform,
        sources: Mapping[str, Awaited],
        rule: DayRule,
        poll_seconds: float = 60.0,
        gcp_conn_id: str = "google_cloud_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.platform = platform
        self.sources = sources
        self.rule = rule
        self.poll_seconds = poll_seconds
        self.gcp_conn_id = gcp_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Look once, and defer only when there is something to wait for."""
        where = self._where(context)
        # A trigger that fires at once can fail its task (apache/airflow#72716).
        found = look_at_day(where, datetime.now(tz=UTC))
        if found.verdict is DayVerdict.WAITING:
            self.log.info("Waiting: %s", found.reason)
            self.defer(trigger=DayTrigger(where, self.poll_seconds), method_name="resume")
        return self._settle(found, where["day"])

    def resume(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Look again after the trigger's event: its answer may be older than a worker's free slot."""
        where = self._where(context)
        found = look_at_day(where, datetime.now(tz=UTC))
        if found.verdict is DayVerdict.WAITING:  # a partition runs again since
            self.defer(trigger=DayTrigger(where, self.poll_seconds), method_name="resume")
        return self._settle(found, where["day"])

    def _where(self, context: Context) -> dict[str, Any]:
        return {
            "day": partition_of(context, Grain.DAY).key,
            "sources": {name: (str(s.grain), s.first.isoformat()) for name, s in self.sources.items()},
            "share": self.rule.share,
            "give_up_after": self.rule.give_up_after.total_seconds(),
            "sql": (self.platform.include / QUERY).read_text("utf-8"),
            "project": self.platform.project,
            "location": self.platform.location,
            "gcp_conn_id": self.gcp_conn_id,
        }

    def _settle(self, found: DayReadiness, day: str) -> dict[str, Any]:
        if found.verdict is DayVerdict.INCOMPLETE:
            raise AirflowFailException(
                explain(
                    f"{day} is incomplete: {found.reason}; at least {self.rule.share:.0%} are awaited",
                    where=f"ops.partition_ledger, and `python -m hourglass ledger SOURCE --from {day}`",
                    next_step="heal those partitions, or lower `wait.share` in include/warehouse.yaml; then clear "
                    "this task",
                    heading="day-incomplete",
                )
            )
        if found.verdict is DayVerdict.ENOUGH:
            notify(f"{self.dag_id} {day} begins without all of its partitions", found.reason, "warning")
        # The models read both tables, and a platform may have neither yet.
        client = bq.client(self.platform, self.gcp_conn_id)
        store.ensure(client, self.platform)
        quarantine_actions.ensure(client, self.platform)
        dates = [one.isoformat() for one in found.event_dates]
        last = Partition.parse(day, Grain.DAY).start.date()
        week = [str(last - timedelta(days=6)), str(last)]
        self.log.info("%d partitions are settled; event dates %s", found.expected, ", ".join(dates) or "none")
        return {
            "event_dates": dates,
            "week": week,
            "expected": found.expected,
            "missing": list(found.missing),
        }
