"""What runs beside the sources' DAGs: the sweeper of late files and orphaned batches, and the daily housekeeping."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG

from hourglass.config import Platform
from hourglass.operators.alert import alert_of
from hourglass.operators.expire import ExpireSnapshotsOperator
from hourglass.operators.orphans import CancelOrphansOperator
from hourglass.operators.sweep import SweepOperator
from hourglass.partition import Grain

SWEEPER = "hourglass_sweeper"
HOUSEKEEPING = "hourglass_housekeeping"
_DEFAULTS = {"owner": "data-platform", "retries": 1, "retry_delay": timedelta(minutes=1)}
_RECEIVERS: dict[str, str] = {}  # nobody owns all sources; the webhook routes the message


def build_sweeper(platform: Platform) -> DAG:
    """Build the DAG that takes in late and replaced files and cancels orphaned batches, every 15 minutes.

    Args:
        platform: The deployment's names.
    """
    with _dag(
        dag_id=SWEEPER,
        dag_display_name="Sweeper: late and replaced files",
        description="Lists the partitions in each source's late window again and re-runs those that changed; cancels "
        "batches that nobody waits for.",
        schedule="*/15 * * * *",
        dagrun_timeout=timedelta(minutes=30),
    ) as dag:
        SweepOperator(task_id="sweep", platform=platform)
        CancelOrphansOperator(task_id="cancel_orphans", platform=platform)
    return dag


def build_housekeeping(platform: Platform) -> DAG:
    """Build the DAG that drops Iceberg's old snapshots, once a day.

    Args:
        platform: The deployment's names.
    """
    with _dag(
        dag_id=HOUSEKEEPING,
        dag_display_name="Housekeeping: old snapshots",
        description="Drops Iceberg snapshots older than a week, and the data files that only they hold.",
        schedule="20 3 * * *",
        dagrun_timeout=timedelta(hours=6),
    ) as dag:
        ExpireSnapshotsOperator(task_id="expire_snapshots", platform=platform)
    return dag


def _dag(dag_id: str, **kwargs: Any) -> DAG:
    return DAG(
        dag_id,
        start_date=datetime(2015, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        tags=["hourglass", "maintenance"],
        default_args={**_DEFAULTS, "on_failure_callback": alert_of(dag_id, Grain.HOUR, _RECEIVERS)},
        **kwargs,
    )
