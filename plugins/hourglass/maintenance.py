"""What runs beside the sources' DAGs: the sweeper."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG

from hourglass.config import Platform
from hourglass.operators.sweep import SweepOperator

SWEEPER = "hourglass_sweeper"


def build_sweeper(platform: Platform) -> DAG:
    """Build the DAG that takes in late and replaced files, every 15 minutes.

    Args:
        platform: The deployment's names.
    """
    with DAG(
        dag_id=SWEEPER,
        dag_display_name="Sweeper: late and replaced files",
        description="Lists the partitions in each source's late window again and re-runs those that changed.",
        schedule="*/15 * * * *",
        start_date=datetime(2015, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        tags=["hourglass", "maintenance"],
        default_args={"owner": "data-platform", "retries": 1, "retry_delay": timedelta(minutes=1)},
        dagrun_timeout=timedelta(minutes=30),
    ) as dag:
        SweepOperator(task_id="sweep", platform=platform)
    return dag
