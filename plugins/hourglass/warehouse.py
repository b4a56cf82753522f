"""The daily DAG: what is built of all sources together, once the ledger has the day."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from airflow.sdk import DAG, CronDataIntervalTimetable

from hourglass.config import Platform, Source
from hourglass.config.dbt_manifest import DAILY, manifest_path, read_manifest
from hourglass.config.warehouse import load_warehouse
from hourglass.dag import RETRYING, partition_param
from hourglass.operators.alert import alert_of
from hourglass.partition import Grain
from hourglass.partition.day import Awaited
from hourglass.stages.daily import Daily, day, docs, exports, models, serving

DAILY_DAG = "hourglass_daily"
FIRST_DAY = datetime(2015, 1, 1, tzinfo=UTC)


def build_daily(sources: list[Source], platform: Platform) -> DAG:
    """Build the DAG.

    Args:
        sources: Validated sources.
        platform: The deployment's names.

    Raises:
        ConfigError: include/warehouse.yaml is wrong.
        FileNotFoundError: There is no dbt manifest.
    """
    file = load_warehouse(platform.include)
    read = read_manifest(manifest_path(platform.include)).sources_of(DAILY)
    build = Daily(file, platform, FIRST_DAY, {s.id: _awaited(s) for s in sources if s.id in read})
    with DAG(
        dag_id=DAILY_DAG,
        dag_display_name="Daily: dimensions, metrics, features",
        description="Waits for the day's partitions; then conformed dimensions, daily facts, features, training "
        "sets, documentation, and once a week a copy for recovery.",
        schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
        start_date=FIRST_DAY,
        catchup=False,
        max_active_runs=1,
        tags=["hourglass", "daily"],
        default_args={
            "owner": file.owner,
            **RETRYING,
            "on_failure_callback": alert_of(
                DAILY_DAG, Grain.DAY, {"email": file.alert_email} if file.alert_email else {}
            ),
        },
        doc_md="Runbook: docs/runbook.md. How to: docs/how-to/run-the-daily-dag.md",
    ) as dag:
        groups = [day(build), models(build)]
        if file.materialized_views or file.feature_sets:
            groups.append(serving(build))
        for earlier, later in pairwise(groups):
            earlier >> later
        groups[-1] >> [docs(build), exports(build)]
    dag.params["partition"] = partition_param()
    return dag


def _awaited(source: Source) -> Awaited:
    first = datetime.combine(source.file.ingestion.start_date, datetime.min.time(), tzinfo=UTC)
    return Awaited(source.grain, first)
