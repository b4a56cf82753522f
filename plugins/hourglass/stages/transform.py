"""Stage 5, transform: the source's own dbt models and tests, as Cosmos's tasks."""

from __future__ import annotations

import os
import shutil
import sys
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import TaskGroup
from cosmos import ProfileConfig, RenderConfig
from cosmos.airflow.graph import build_airflow_graph
from cosmos.cache import _obtain_cache_dir_path
from cosmos.constants import ExecutionMode, InvocationMode, TestBehavior, TestIndirectSelection

from hourglass.config.dbt_manifest import manifest_path, state_of_files
from hourglass.operators.failing_rows import show_failing_rows
from hourglass.stages.build import Build
from hourglass.stages.dbt_nodes import tagged_nodes

if TYPE_CHECKING:
    from cosmos.dbt.graph import DbtNode

    from hourglass.config import Platform

_RENDERING = RenderConfig(test_behavior=TestBehavior.BUILD, emit_datasets=False)


def has_models(build: Build) -> bool:
    """Whether the dbt project has models of this source."""
    return (build.platform.include / "dbt" / "models" / "staging" / build.source.id).is_dir()


def transform(build: Build) -> TaskGroup:
    """Build the stage.

    Args:
        build: The source and the deployment.
    """
    nodes = tagged_nodes(manifest_path(build.platform.include), build.source.id)
    with TaskGroup("transform", tooltip="the source's own dbt models and tests") as group:
        dbt_tasks(group, nodes, build.platform, build.event_dates, build.hooks)
    return group


def dbt_tasks(
    group: TaskGroup,
    nodes: dict[str, DbtNode],
    platform: Platform,
    event_dates: str,
    hooks: dict[str, Any],
) -> None:
    """Put dbt nodes into a task group.

    Cosmos makes one task of each model, with its tests. Its own task group would read the whole manifest for each
    source, so that it is given the nodes.

    Args:
        group: Where the tasks go.
        nodes: The nodes.
        platform: The deployment's names.
        event_dates: The event dates to compute, as a template.
        hooks: What the tasks take beside that.
    """
    build_airflow_graph(
        nodes=nodes,
        dag=group.dag,
        task_group=group,
        execution_mode=ExecutionMode.LOCAL,
        test_indirect_selection=TestIndirectSelection.BUILDABLE,
        dbt_project_name="hourglass",
        render_config=_RENDERING,
        task_args={
            **dbt_arguments(platform, event_dates),
            "callback": partial(show_failing_rows, platform),
            # A test that spans two models runs with the later one, when both are there.
            "indirect_selection": "buildable",
            "retries": 2,
            # Two runs that build one table at once cost more than one after the other: BigQuery lets one of two MERGEs
            # of a date commit and runs the other again, and refuses one of two descriptions of a view (412).
            "max_active_tis_per_dag": 1,
            **hooks,
        },
    )


def dbt_arguments(platform: Platform, event_dates: str) -> dict[str, Any]:
    """What every task of Cosmos takes; see `dbt_tasks`."""
    project = platform.include / "dbt"
    return {
        "project_dir": project,
        "profile_config": _profile(project),
        # dbt's partial parse mixes a model's old contract with its new SQL when both have changed, and goes on doing
        # so in every task, whoever clears it. So a parse is kept for one state of the project's files alone.
        "cache_dir": _obtain_cache_dir_path(f"hourglass__{state_of_files(project)}"),
        "manifest_filepath": manifest_path(platform.include),
        "invocation_mode": InvocationMode.DBT_RUNNER,
        "dbt_executable_path": dbt_executable(),
        "partial_parse": True,
        "install_deps": False,
        # Hourglass announces the partition itself; Cosmos's asset names are not valid in Airflow 3.
        "emit_datasets": False,
        "env": {"HOURGLASS_EVENT_DATES": event_dates},
        "append_env": True,
    }


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
