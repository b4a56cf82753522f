"""The stages of the daily DAG: wait for the day, build the models, serve them, publish the docs, copy the week."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup
from cosmos.operators.local import DbtDocsGCSLocalOperator

from hourglass.cloud import bigquery as bq
from hourglass.config.dbt_manifest import DAILY, manifest_path, read_manifest
from hourglass.config.owner import Warehouse
from hourglass.operators.admit import AdmitOperator
from hourglass.operators.due import DueOperator
from hourglass.operators.export_table import ExportTableOperator
from hourglass.operators.push_features import PushFeaturesOperator
from hourglass.operators.refresh_view import RefreshViewOperator
from hourglass.operators.wait_for_day import WaitForDay
from hourglass.partition import Grain
from hourglass.partition.day import Awaited, DayRule
from hourglass.stages.dbt_nodes import tagged_nodes
from hourglass.stages.transform import dbt_arguments, dbt_tasks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hourglass.config import Platform
    from hourglass.config.dbt_manifest import Node
    from hourglass.config.warehouse import WarehouseFile

WAIT = "day.wait"
DOCS_FOLDER = "docs/dbt"
_EVENT_DATES = f"{{{{ ti.xcom_pull(task_ids='{WAIT}')['event_dates'] | join(',') }}}}"
_WEEK = f"(ti.xcom_pull(task_ids='{WAIT}'))['week']"


@dataclass(frozen=True, slots=True)
class Daily:
    """What the daily DAG is built from.

    Args:
        file: Its settings.
        platform: The deployment's names.
        first: The first day.
        sources: The sources that its models read.
    """

    file: WarehouseFile
    platform: Platform
    first: datetime
    sources: Mapping[str, Awaited]


def day(build: Daily) -> TaskGroup:
    """Wait until the day's partitions are there."""
    rule = DayRule(build.file.wait.share, build.file.wait.give_up_after)
    with TaskGroup("day", tooltip="wait in the ledger for the day's partitions") as group:
        admit = AdmitOperator(
            task_id="admit",
            grain=Grain.DAY,
            first=build.first,
            set_in="plugins/hourglass/warehouse.py, FIRST_DAY",
        )
        admit >> WaitForDay(task_id="wait", platform=build.platform, sources=build.sources, rule=rule)
    return group


def models(build: Daily) -> TaskGroup:
    """Snapshots, dimensions, daily facts, features and training sets, with their tests."""
    nodes = tagged_nodes(manifest_path(build.platform.include), DAILY)
    with TaskGroup("transform", tooltip="dbt's snapshots, models and tests with the tag daily") as group:
        dbt_tasks(group, nodes, build.platform, _EVENT_DATES, {})
    return group


def serving(build: Daily) -> TaskGroup:
    """Refresh views, push features."""
    with TaskGroup("serve", tooltip="refresh materialized views, push features") as group:
        for view in build.file.materialized_views:
            RefreshViewOperator(
                task_id=f"refresh_{view}", view=view, platform=build.platform, owner_of_view=Warehouse()
            )
        for feature_set in build.file.feature_sets:
            PushFeaturesOperator(
                task_id=f"push_{feature_set.name}",
                feature_set=feature_set,
                source=Warehouse(),
                platform=build.platform,
            )
    return group


def docs(build: Daily) -> TaskGroup:
    """Publish dbt's documentation to the ops bucket."""
    with TaskGroup("docs", tooltip="dbt docs generate, into the ops bucket") as group:
        DbtDocsGCSLocalOperator(
            task_id="publish",
            connection_id="google_cloud_default",
            bucket_name=build.platform.ops_bucket,
            folder_dir=DOCS_FOLDER,
            **dbt_arguments(build.platform, _EVENT_DATES),
        )
    return group


def exports(build: Daily) -> TaskGroup:
    """Copy the week's rows of every table to Cloud Storage, once a week."""
    manifest = read_manifest(manifest_path(build.platform.include))
    with TaskGroup("exports", tooltip="weekly: a copy of the week's rows for recovery") as group:
        due = DueOperator(task_id="due", weekday=build.file.exports.weekday)
        jobs = [_export(build.platform, table) for table in manifest.tables()]
        due >> ExportTableOperator.partial(
            task_id="tables",
            platform=build.platform,
            # A week's worth of every table at once would take slots from those who query.
            max_active_tis_per_dagrun=4,
            map_index_template="{{ task.table }}",
        ).expand_kwargs(jobs)
    return group


def _export(platform: Platform, table: Node) -> dict[str, Any]:
    """One table and the job that copies it: the week's event dates, or all of a table without dates."""
    where = "TRUE"
    if table.config.partition_by is not None:
        column = table.config.partition_by.field
        where = f"{column} BETWEEN DATE '{{{{ {_WEEK}[0] }}}}' AND DATE '{{{{ {_WEEK}[1] }}}}'"
    folder = platform.uri(f"exports/{table.schema}/{table.alias}/{{{{ {_WEEK}[1] }}}}")
    sql = (
        f"EXPORT DATA OPTIONS (uri = '{folder}/*.parquet', format = 'PARQUET', overwrite = TRUE) AS "  # noqa: S608 (names)
        f"SELECT * FROM `{platform.project}.{table.schema}.{table.alias}` WHERE {where}"
    )
    labels = {**bq.LABELS, "stage": "export", "table": table.alias}
    job = {"query": {"query": sql, "useLegacySql": False}, "labels": labels}
    return {"table": f"{table.schema}.{table.alias}", "configuration": job}
