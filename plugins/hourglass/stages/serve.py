"""Stage 6, serve: refresh materialized views, push features to Bigtable."""

from __future__ import annotations

from airflow.sdk import TaskGroup

from hourglass.cloud import bigquery as bq
from hourglass.operators.base import JobOperator
from hourglass.operators.push_features import PushFeaturesOperator
from hourglass.stages.build import Build


def serve(build: Build) -> TaskGroup:
    """Build the stage.

    Args:
        build: The source and the deployment.
    """
    serving = build.source.file.serving
    with TaskGroup("serve", tooltip="refresh materialized views, push features") as group:
        for view in serving.materialized_views:
            _refresh(build, view)
        for feature_set in serving.feature_sets:
            PushFeaturesOperator(
                task_id=f"push_{feature_set.name}",
                feature_set=feature_set,
                **build.kwargs(),
                **build.hooks,
            )
    return group


def view_pool(view: str) -> str:
    """The pool of size 1 that keeps two refreshes of one view apart: only the first would succeed."""
    return f"mv_{view}"


def _refresh(build: Build, view: str) -> JobOperator:
    create = (build.platform.include / "sql" / "materialized_views" / f"{view}.sql").read_text("utf-8")
    create = create.replace("{{ project }}", build.platform.project).rstrip().rstrip(";")
    script = f"{create};\nCALL BQ.REFRESH_MATERIALIZED_VIEW('{build.platform.project}.gold.mv_{view}');"
    return JobOperator(
        task_id=f"refresh_{view}",
        configuration={
            "query": {"query": script, "useLegacySql": False},
            "labels": bq.labels(build.source, "serve"),
        },
        platform=build.platform,
        pool=view_pool(view),
        **build.hooks,
    )
