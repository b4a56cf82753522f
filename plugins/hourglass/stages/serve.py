"""Stage 6, serve: refresh materialized views, push features to Bigtable."""

from __future__ import annotations

from airflow.sdk import TaskGroup

from hourglass.operators.push_features import PushFeaturesOperator
from hourglass.operators.refresh_view import RefreshViewOperator
from hourglass.operators.tasks import push_task
from hourglass.stages.build import Build


def serve(build: Build) -> TaskGroup:
    """Build the stage.

    Args:
        build: The source and the deployment.
    """
    serving = build.source.file.serving
    with TaskGroup("serve", tooltip="refresh materialized views, push features") as group:
        for view in serving.materialized_views:
            RefreshViewOperator(
                task_id=f"refresh_{view}",
                view=view,
                platform=build.platform,
                owner_of_view=build.source,
                **build.hooks,
            )
        for feature_set in serving.feature_sets:
            PushFeaturesOperator(
                task_id=push_task(feature_set.name).removeprefix("serve."),
                feature_set=feature_set,
                **build.kwargs(),
                **build.hooks,
            )
    return group
