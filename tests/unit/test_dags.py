"""DAG integrity: everything loads, quickly, without a network or a database, and looks as it should."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STAGES = ["sense", "refine", "gate", "publish", "transform", "serve", "announce"]

# Runs in its own interpreter: Airflow reads its environment once, and a cold import is what the DAG
# processor pays. Sockets and the metadata database are out of reach, so that any use of them fails.
PROBE = """
import json, logging, socket, sqlite3, sys

def refuse(*args, **kwargs):
    raise AssertionError(f"parsing a DAG file reached for {args[1:2]}")

socket.socket.connect = refuse
socket.create_connection = refuse
socket.getaddrinfo = refuse
real_connect = sqlite3.connect
sqlite3.connect = refuse
logging.disable(logging.CRITICAL)
from airflow.dag_processing.dagbag import DagBag
before = set(sys.modules)
bag = DagBag(sys.argv[1])
dags = {}
for dag in bag.dags.values():
    dags[dag.dag_id] = {
        "tags": sorted(dag.tags), "catchup": dag.catchup, "timetable": type(dag.timetable).__name__,
        "tasks": {
            t.task_id: {
                "owner": t.owner, "retries": t.retries, "pool": t.pool, "type": type(t).__name__,
                "upstream": sorted(t.upstream_task_ids), "trigger_rule": str(t.trigger_rule),
                "at_once": t.max_active_tis_per_dag, "tells": bool(t.on_failure_callback),
            }
            for t in dag.tasks
        },
    }
print(json.dumps({"errors": bag.import_errors, "dags": dags, "modules": sorted(set(sys.modules) - before)}))
"""


def load(env: dict[str, str]) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(ROOT / "dags")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory, airflow_env: dict[str, str]) -> Any:
    return load(airflow_env)


@pytest.mark.parametrize(
    ("source", "land", "stages"),
    [
        ("github", None, {"refine", "publish"}),
        ("stripe_payments", "PollApi", {"refine", "publish"}),
        ("aws_data_lake", "TransferPartition", {"refine", "publish"}),
        ("postgres_orders", None, {"refine", "publish"}),
        ("ga4", None, set()),
    ],
)
def test_a_pattern_has_only_the_tasks_that_it_needs(
    bag: Any, source: str, land: str | None, stages: set[str]
) -> None:
    tasks = bag["dags"][source]["tasks"]
    assert tasks.get("sense.land", {}).get("type") == land
    assert tasks["sense.wait"]["upstream"] == ["sense.land" if land else "sense.admit"]
    assert {t.split(".")[0] for t in tasks} & {"refine", "publish"} == stages
    assert {"gate.account", "gate.validate", "announce.record"} <= set(tasks)


def test_every_source_is_a_dag_and_nothing_fails_to_import(bag: Any) -> None:
    sources = {p.stem for p in (ROOT / "include/sources").glob("*.yaml")}
    assert bag["errors"] == {}
    assert sources <= set(bag["dags"])


def test_dags_have_owners_tags_and_retries(bag: Any) -> None:
    for dag_id, dag in bag["dags"].items():
        assert "hourglass" in dag["tags"], dag_id
        for task_id, task in dag["tasks"].items():
            assert task["owner"] not in ("", "airflow"), task_id
            # A trigger that fires at once can fail its task, so a deferrable task needs a retry.
            assert task["retries"] >= 1 or task_id == "gate.account", task_id
            assert task["tells"], f"nobody hears that {dag_id} {task_id} has failed"


def test_a_source_runs_the_seven_stages_in_order(bag: Any) -> None:
    tasks = bag["dags"]["github"]["tasks"]
    assert sorted({t.split(".")[0] for t in tasks}, key=STAGES.index) == STAGES
    for task_id, task in tasks.items():
        stage = STAGES.index(task_id.split(".")[0])
        for upstream in task["upstream"]:
            assert stage - STAGES.index(upstream.split(".")[0]) in (0, 1), (upstream, task_id)
    assert tasks["announce.record"]["trigger_rule"].lower().endswith("all_done")


def test_one_run_of_a_dag_at_a_time_builds_a_model(bag: Any) -> None:
    built = [t for d in bag["dags"].values() for n, t in d["tasks"].items() if n.endswith("_model_build")]
    assert len(built) > 50
    assert {t["at_once"] for t in built} == {1}


def test_two_models_that_a_test_compares_are_never_built_at_once(bag: Any) -> None:
    tasks = bag["dags"]["github"]["tasks"]
    compared = ("fct_github_events", "fct_github_repo_daily")
    assert {tasks[f"transform.{name}_model_build"]["pool"] for name in compared} == {"build_github"}


def test_the_daily_dag_waits_builds_serves_and_then_publishes(bag: Any) -> None:
    order = ["day", "transform", "serve", "docs", "exports"]
    tasks = bag["dags"]["hourglass_daily"]["tasks"]
    assert sorted({t.split(".")[0] for t in tasks}, key=order.index) == order
    assert tasks["day.wait"]["type"] == "WaitForDay"
    assert tasks["transform.dim_date_model_build"]["upstream"] == ["day.wait"]
    assert "transform.dim_users_model_build" in tasks["serve.push_user_features"]["upstream"]
    assert "serve.refresh_low_stock" in tasks["docs.publish"]["upstream"]
    assert tasks["exports.tables"]["upstream"] == ["exports.due"]


def test_pools_are_declared(bag: Any) -> None:
    settings = yaml.safe_load((ROOT / "airflow_settings.yaml").read_text())["airflow"]
    pools = {p["pool_name"]: p for p in settings["pools"]}
    used = {t["pool"] for d in bag["dags"].values() for t in d["tasks"].values()} - {"default_pool"}
    assert used, "at least one materialized view is refreshed"
    for pool in used:
        assert pools[pool]["pool_slot"] == 1, pool
        # Deferred refreshes of one view must not overlap either.
        assert pools[pool]["include_deferred"] is True, pool


def test_parsing_imports_nothing_heavy(bag: Any) -> None:
    # pandas and pyarrow come in with the Google provider's own operators.
    heavy = {"great_expectations", "dbt.cli.main", "duckdb", "pyspark", "google.cloud.bigtable"}
    assert heavy & set(bag["modules"]) == set()


@pytest.mark.parametrize("path", [*ROOT.glob("plugins/**/*.py"), *ROOT.glob("dags/*.py")], ids=str)
def test_our_modules_import_nothing_heavy_at_the_top(path: Path) -> None:
    heavy = (
        "great_expectations",
        "pandas",
        "google.cloud.bigquery",
        "google.cloud.storage",
        "google.cloud.bigtable",
        "grpc",
    )
    for node in ast.parse(path.read_text()).body:
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert not [n for n in names if n.startswith(heavy)], path


def test_a_broken_source_removes_only_its_own_dag(tmp_path: Path, airflow_env: dict[str, str]) -> None:
    include = tmp_path / "include"
    include.mkdir()
    for name in ("schemas", "sql", "dbt", "expectations", "spark"):
        (include / name).symlink_to(ROOT / "include" / name)
    (include / "sources").mkdir()
    text = (ROOT / "include/sources/github.yaml").read_text()
    (include / "sources/github.yaml").write_text(text)
    (include / "sources/broken.yaml").write_text(text.replace("on_empty: fail", "on_emtpy: fail"))
    bag = load({**airflow_env, "HOURGLASS_INCLUDE": str(include)})
    assert set(bag["dags"]) - {"hourglass_sweeper", "hourglass_housekeeping"} == {"github"}
    (error,) = bag["errors"].values()
    assert "broken.yaml:" in error
    assert "did you mean 'on_empty'?" in error


def test_a_manifest_that_does_not_know_a_model_removes_that_dag_and_names_the_model(
    tmp_path: Path, airflow_env: dict[str, str]
) -> None:
    include = tmp_path / "include"
    (include / "dbt/target").mkdir(parents=True)
    for folder in (ROOT / "include").iterdir():
        if folder.name != "dbt":
            (include / folder.name).symlink_to(folder)
    shutil.copytree(ROOT / "include/dbt/models", include / "dbt/models")
    for place in ("target/manifest.json", "profiles.yml", "seeds", "snapshots"):
        (include / "dbt" / place).symlink_to(ROOT / "include/dbt" / place)
    models = include / "dbt/models"
    (models / "marts/orders/orders_by_hour.sql").write_text("SELECT 1 AS n")
    gone = next((models / "marts/sessions").glob("*.sql"))
    gone.unlink()
    bag = load({**airflow_env, "HOURGLASS_INCLUDE": str(include)})
    sources = {p.stem for p in (ROOT / "include/sources").glob("*.yaml")}
    assert sources - set(bag["dags"]) == {"orders", "sessions"}
    (error,) = bag["errors"].values()
    assert (
        f"{models}/marts/orders/orders_by_hour.sql:1:1: error: this model is not in the dbt manifest" in error
    )
    assert f"{gone}:1:1: error: this model is gone" in error
    assert "dbt parse" in error


def test_every_dbt_selector_finds_a_node(airflow_env: dict[str, str]) -> None:
    manifest = json.loads((ROOT / "include/dbt/target/manifest.json").read_text())
    for path in (ROOT / "include/sources").glob("*.yaml"):
        if (ROOT / "include/dbt/models/staging" / path.stem).is_dir():
            tagged = [n for n, node in manifest["nodes"].items() if path.stem in node["tags"]]
            assert [n for n in tagged if n.startswith("model.")], path.stem


def test_airflow_imports_only_the_plugin_stub() -> None:
    ignored = (ROOT / "plugins/.airflowignore").read_text().split()
    assert ignored == ["hourglass/"]
    assert [p.name for p in (ROOT / "plugins").glob("*.py")] == ["hourglass_airflow.py"]
