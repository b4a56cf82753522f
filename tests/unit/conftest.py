"""Environment of tests that read DAG files but need no service."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def airflow_env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What Airflow needs to parse the DAGs, with a metadata database that does not exist."""
    home = tmp_path_factory.mktemp("airflow")
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "HOURGLASS_PROJECT": "hourglass-test",
        "PYTHONPATH": str(ROOT / "plugins"),
    }


@pytest.fixture
def only_github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An include folder with the source github alone, which the commands work on."""
    folder = tmp_path / "include"
    for name in ("sources", "schemas", "sql/materialized_views", "sql/features"):
        shutil.copytree(ROOT / "include" / name, folder / name)
    for extra in (folder / "sources").glob("*.yaml"):
        if extra.stem != "github":
            extra.unlink()
    for extra in (folder / "schemas").iterdir():
        if extra.name != "github":
            shutil.rmtree(extra)
    monkeypatch.setenv("HOURGLASS_INCLUDE", str(folder))
    return folder
