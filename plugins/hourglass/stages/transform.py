"""Stage 5, transform: the source's own dbt models and tests, as a Cosmos task group."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from airflow.sdk import TaskGroup
from cosmos import DbtTaskGroup, ExecutionConfig, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, InvocationMode, LoadMode, TestBehavior

from hourglass.config import Platform
from hourglass.stages.build import EVENT_DATES, Build


def selector(source_id: str) -> str:
    """The dbt selector of a source's own models."""
    return f"tag:{source_id}"


def has_models(build: Build) -> bool:
    """Whether the dbt project has models of this source."""
    return (build.platform.include / "dbt" / "models" / "staging" / build.source.id).is_dir()


def transform(build: Build) -> TaskGroup:
    """Build the stage.

    Args:
        build: The source and the deployment.
    """
    project = build.platform.include / "dbt"
    group: TaskGroup = DbtTaskGroup(
        group_id="transform",
        project_config=ProjectConfig(
            dbt_project_path=project,
            manifest_path=manifest_path(build.platform),
            install_dbt_deps=False,
            partial_parse=True,
        ),
        profile_config=ProfileConfig(
            profile_name="hourglass",
            target_name=os.environ.get("HOURGLASS_DBT_TARGET", "prod"),
            profiles_yml_filepath=project / "profiles.yml",
        ),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.LOCAL,
            invocation_mode=InvocationMode.DBT_RUNNER,
            dbt_executable_path=dbt_executable(),
        ),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST,
            select=[selector(build.source.id)],
            test_behavior=TestBehavior.BUILD,
            dbt_deps=False,
            # Hourglass announces the partition itself; Cosmos's asset names are not valid in Airflow 3.
            emit_datasets=False,
        ),
        operator_args={
            "env": {"HOURGLASS_EVENT_DATES": EVENT_DATES},
            "append_env": True,
            "install_deps": False,
            # A test that spans two models runs with the later one, when both are there.
            "indirect_selection": "buildable",
            "retries": 2,
        },
    )
    return group


def manifest_path(platform: Platform) -> Path:
    """The dbt manifest that DAG files are built from."""
    return platform.include / "dbt" / "target" / "manifest.json"


def dbt_executable() -> str:
    """The dbt of this Python environment."""
    beside = Path(sys.executable).with_name("dbt")
    return str(beside) if beside.exists() else shutil.which("dbt") or "dbt"
