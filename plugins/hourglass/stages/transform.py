"""Stage 5, transform: the source's own dbt models and tests, as Cosmos's tasks."""

from __future__ import annotations

import os
import shutil
import sys
from functools import lru_cache
from pathlib import Path

from airflow.sdk import TaskGroup
from cosmos import ProfileConfig, RenderConfig
from cosmos.airflow.graph import build_airflow_graph
from cosmos.cache import _obtain_cache_dir_path
from cosmos.constants import ExecutionMode, InvocationMode, TestBehavior, TestIndirectSelection

from hourglass.config.dbt_manifest import manifest_path
from hourglass.stages.build import Build
from hourglass.stages.dbt_nodes import tagged_nodes

_RENDERING = RenderConfig(test_behavior=TestBehavior.BUILD, emit_datasets=False)


def has_models(build: Build) -> bool:
    """Whether the dbt project has models of this source."""
    return (build.platform.include / "dbt" / "models" / "staging" / build.source.id).is_dir()


def transform(build: Build) -> TaskGroup:
    """Build the stage.

    Cosmos makes one task of each model, with its tests. Its own task group would read the whole manifest for each
    source, so that it is given the nodes.

    Args:
        build: The source and the deployment.
    """
    project = build.platform.include / "dbt"
    with TaskGroup("transform", tooltip="the source's own dbt models and tests") as group:
        build_airflow_graph(
            nodes=tagged_nodes(manifest_path(build.platform.include), build.source.id),
            dag=group.dag,
            task_group=group,
            execution_mode=ExecutionMode.LOCAL,
            test_indirect_selection=TestIndirectSelection.BUILDABLE,
            dbt_project_name="hourglass",
            render_config=_RENDERING,
            task_args={
                "project_dir": project,
                "profile_config": _profile(project),
                # Where Cosmos keeps dbt's own parse of the project between tasks.
                "cache_dir": _obtain_cache_dir_path(f"{build.source.id}__transform"),
                "manifest_filepath": manifest_path(build.platform.include),
                "invocation_mode": InvocationMode.DBT_RUNNER,
                "dbt_executable_path": dbt_executable(),
                "partial_parse": True,
                "install_deps": False,
                # Hourglass announces the partition itself; Cosmos's asset names are not valid in Airflow 3.
                "emit_datasets": False,
                "env": {"HOURGLASS_EVENT_DATES": build.event_dates},
                "append_env": True,
                # A test that spans two models runs with the later one, when both are there.
                "indirect_selection": "buildable",
                "retries": 2,
                **build.hooks,
            },
        )
    return group


@lru_cache(maxsize=8)
def _profile(project: Path) -> ProfileConfig:
    return ProfileConfig(
        profile_name="hourglass",
        target_name=os.environ.get("HOURGLASS_DBT_TARGET", "prod"),
        profiles_yml_filepath=project / "profiles.yml",
    )


@lru_cache(maxsize=1)
def dbt_executable() -> str:
    """The dbt of this Python environment."""
    beside = Path(sys.executable).with_name("dbt")
    return str(beside) if beside.exists() else shutil.which("dbt") or "dbt"
