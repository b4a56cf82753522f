"""How long 200 sources take to become DAGs beyond the imports, beside dag-factory making the same DAGs from YAML."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
SOURCES = 200
TARGET_SECONDS = 1.5
# Every module that either kind needs is imported before the clock starts.
PROBE = """
import json, logging, sys, time, warnings
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
from airflow.dag_processing.dagbag import DagBag
import airflow.providers.google.cloud.operators.bigquery, airflow.providers.google.cloud.operators.dataproc
import airflow.providers.standard.operators.bash, dagfactory, hourglass.dag
wall, cpu = time.perf_counter(), time.process_time()
bag = DagBag(sys.argv[1])
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
assert not bag.import_errors, bag.import_errors
tasks = sum(len(dag.tasks) for dag in bag.dags.values())
edges = sum(len(task.downstream_task_ids) for dag in bag.dags.values() for task in dag.tasks)
print(json.dumps({"wall": wall, "cpu": cpu, "dags": len(bag.dags), "tasks": tasks, "edges": edges}))
"""
SHAPE = """
import json, logging, sys
logging.disable(logging.CRITICAL)
from airflow.dag_processing.dagbag import DagBag
def kind(task):
    names = [c.__name__ for c in type(task).__mro__]
    known = ("BigQueryInsertJobOperator", "DataprocCreateBatchOperator")
    return next((name for name in known if name in names), "BashOperator")
dag = DagBag(sys.argv[1]).dags["source_000"]
print(json.dumps([[t.task_id, kind(t), sorted(t.upstream_task_ids)] for t in dag.topological_sort()]))
"""
PEER = """import os  # airflow reads only files that name it
from dagfactory import load_yaml_dags
load_yaml_dags(globals_dict=globals(), dags_folder=os.environ["PEER_DAGS"])
"""
OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "BashOperator": ("airflow.providers.standard.operators.bash.BashOperator", {"bash_command": "true"}),
    "BigQueryInsertJobOperator": (
        "airflow.providers.google.cloud.operators.bigquery.BigQueryInsertJobOperator",
        {"configuration": {}, "deferrable": True},
    ),
    "DataprocCreateBatchOperator": (
        "airflow.providers.google.cloud.operators.dataproc.DataprocCreateBatchOperator",
        {"region": "us-central1", "project_id": "bench", "batch": {}, "batch_id": "b", "deferrable": True},
    ),
}


def main(runs: int = 5) -> None:
    """Print medians of several interpreters, the two kinds in turn."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        include, peer = folder / "include", folder / "peer"
        _write_sources(include)
        env = _environment(folder, include, peer)
        shape = json.loads(_run(SHAPE, ROOT / "dags", env))
        _write_peer(peer, shape)
        kinds = {"hourglass": ROOT / "dags", "dag-factory": peer}
        found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
        for _ in range(runs):
            for kind, dags in kinds.items():
                found[kind].append(json.loads(_run(PROBE, dags, env)))
    print(f"{SOURCES} sources of {len(shape)} tasks, beyond the imports, median of {runs} interpreters")
    for kind, results in found.items():
        wall, cpu = (statistics.median(r[part] for r in results) for part in ("wall", "cpu"))
        counts = ", ".join(f"{results[0][part]:.0f} {part}" for part in ("dags", "tasks", "edges"))
        print(f"  {kind:12}  {wall:5.2f} s wall, {cpu:5.2f} s CPU   {counts}")
    best = min(r["wall"] for r in found["hourglass"])
    print(f"  target: {TARGET_SECONDS} s; the best run took {best:.2f} s")


def _write_sources(include: Path) -> None:
    """The shipped source github under 200 names, without the views and models that only it has."""
    text = (ROOT / "include/sources/github.yaml").read_text("utf-8")
    schema = json.loads((ROOT / "include/schemas/github/1.0.json").read_text("utf-8"))
    document = yaml.safe_load(text)
    document["serving"] = {"cluster_by": document["serving"]["cluster_by"]}
    (include / "sources").mkdir(parents=True)
    for number in range(SOURCES):
        name = f"source_{number:03}"
        document["source_id"] = name
        document["ingestion"]["location"] = f"gs://hourglass-raw/{name}/"
        document["schema"]["file"] = f"schemas/{name}/1.0.json"
        (include / "sources" / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
        (include / "schemas" / name).mkdir(parents=True)
        told = json.dumps({**schema, "source_id": name}, indent=1)
        (include / "schemas" / name / "1.0.json").write_text(told, "utf-8")
    for name in ("spark", "sql", "dbt"):
        (include / name).symlink_to(ROOT / "include" / name)


def _write_peer(folder: Path, shape: list[tuple[str, str, list[str]]]) -> None:
    """The same DAGs as dag-factory's YAML: one file each, the same tasks, kinds, groups and edges."""
    folder.mkdir()
    shutil.rmtree(folder / "yaml", ignore_errors=True)
    (folder / "yaml").mkdir()
    (folder / "peer.py").write_text(PEER)
    groups = dict.fromkeys(task.partition(".")[0] for task, _, _ in shape)
    tasks: list[dict[str, Any]] = []
    for task, kind, upstream in shape:
        operator, arguments = OPERATORS[kind]
        group, _, _ = task.partition(".")
        before = [name.replace(".", "_") for name in upstream]
        tasks.append(
            {"task_id": task.replace(".", "_"), "operator": operator, "dependencies": before,
             "task_group_name": group, **arguments}
        )  # fmt: skip
    for number in range(SOURCES):
        document = {
            f"source_{number:03}": {
                "default_args": {"owner": "data-platform", "retries": 2, "start_date": "2015-01-01"},
                "schedule": "0 * * * *",
                "catchup": False,
                "max_active_runs": 8,
                "tags": ["peer"],
                "task_groups": [{"group_name": name, "dependencies": []} for name in groups],
                "tasks": tasks,
            }
        }
        (folder / "yaml" / f"{number:03}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))


def _environment(home: Path, include: Path, peer: Path) -> dict[str, str]:
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
        "HOURGLASS_PROJECT": "bench",
        "HOURGLASS_INCLUDE": str(include),
        "PEER_DAGS": str(peer / "yaml"),
        "PYTHONPATH": str(ROOT / "plugins"),
    }


def _run(script: str, dags: Path, env: dict[str, str]) -> str:
    command = [sys.executable, "-c", script, str(dags)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise SystemExit(f"the DAGs in {dags} could not be made:\n{done.stderr[-3000:]}")
    return done.stdout.splitlines()[-1]


if __name__ == "__main__":
    main()
