"""A source becomes a DAG: the seven stages in order."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from hourglass.config import Platform, Source, collector_paused
from hourglass.config.dbt_manifest import stale_models
from hourglass.operators.alert import alert_of
from hourglass.operators.notify import receivers_of
from hourglass.stages.announce import announce
from hourglass.stages.build import Build
from hourglass.stages.gate import gate
from hourglass.stages.publish import publish
from hourglass.stages.refine import refine
from hourglass.stages.sense import sense
from hourglass.stages.serve import serve
from hourglass.stages.transform import has_models, transform

if TYPE_CHECKING:
    from airflow.sdk import TaskGroup

PARTITION_HELP = "The partition to run, such as 2021-07-21T06; empty for the last one that has ended (UTC)."

# A failure that passes is outlived; one that stays is told of within minutes.
RETRYING = {
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}


def build_dags(sources: Iterable[Source], platform: Platform) -> dict[str, DAG]:
    """Build the DAGs of many sources, by their id.

    A source whose models dbt's manifest does not know gets none, rather than one that leaves them out;
    dags/config_errors.py says so.

    Args:
        sources: Validated sources.
        platform: The deployment's names.
    """
    with collector_paused():
        known = list(sources)
        stale = stale_models(platform.include, [source.id for source in known])
        return {source.id: build_dag(source, platform) for source in known if source.id not in stale}


def build_dag(source: Source, platform: Platform) -> DAG:
    """Build one source's DAG.

    Args:
        source: A validated source.
        platform: The deployment's names.
    """
    file = source.file
    start = datetime.combine(file.ingestion.start_date, datetime.min.time(), tzinfo=UTC)
    with DAG(
        dag_id=source.id,
        dag_display_name=file.display_name,
        description=file.description,
        schedule=CronDataIntervalTimetable(file.ingestion.schedule, timezone="UTC"),
        start_date=start,
        catchup=False,
        max_active_runs=8,
        tags=["hourglass", file.ingestion.pattern, str(source.grain)],
        default_args={
            "owner": file.owner,
            **RETRYING,
            "on_failure_callback": alert_of(source.id, source.grain, receivers_of(source)),
        },
        doc_md=f"{file.description}\n\nRunbook: {file.runbook or 'docs/runbook.md'}",
    ) as dag:
        chain_stages(Build(source, platform))
    # Given to the DAG's constructor, the form would be copied into every operator, once for each of its classes;
    # set as a whole, it would be checked anew for every source.
    dag.params["partition"] = partition_param()
    return dag


def partition_param() -> Param:
    """The field of the trigger form."""
    return Param(None, type=["null", "string"], title="Partition", description=PARTITION_HELP)


def chain_stages(build: Build) -> None:
    """Put the seven stages in order, leaving out those that the source has no work for."""
    groups: list[TaskGroup]
    if build.exported:
        groups = [sense(build), gate(build)]
    else:
        groups = [sense(build), refine(build), gate(build), publish(build)]
    if has_models(build):
        groups.append(transform(build))
    serving = build.source.file.serving
    if serving.materialized_views or serving.feature_sets:
        groups.append(serve(build))
    groups.append(announce(build))
    for earlier, later in pairwise(groups):
        earlier >> later
    # Only now, so that the event also waits for the success of what comes before: a failed run is recorded too.
    last = groups[-1].children
    last["announce.record"] >> last["announce.emit"]
