"""The shop's models as Cosmos's tasks, beside one `dbt build` of them, and beside as many tasks that do nothing.

All three run in one instance of the local cloud, on the same generated day, twice: the first run has no parse of the
project to start from. `airflow dags test` runs its tasks one after the other in one process; a worker starts a
process for each, and imports Airflow and dbt again.
"""

from __future__ import annotations

import json
import tempfile
from datetime import date
from pathlib import Path

from benchmarks.cloud import ROOT, empty_cloud
from benchmarks.measure import Cost, run

DAY = date(2026, 1, 5)
PROJECT = ROOT / "include/dbt"
SOURCES = ("orders", "inventory", "user_activity")
MODELS = (
    "stg_orders__orders",
    "stg_inventory__inventory",
    "stg_user_activity__user_activity",
    "fct_orders",
    "fct_order_items",
    "customer_lifetime_value",
    "fct_inventory_levels",
    "inventory_low_stock",
    "fct_user_activity",
    "fct_activity_funnel",
)
DAGS = f"""
from datetime import UTC, datetime
from airflow.sdk import DAG, TaskGroup, chain, task
from hourglass.config import Platform
from hourglass.config.dbt_manifest import DAILY, manifest_path
from hourglass.stages.dbt_nodes import tagged_nodes
from hourglass.stages.transform import dbt_tasks

platform = Platform.from_env()
known = {{}}
for tag in (DAILY, *{SOURCES!r}):
    known |= tagged_nodes(manifest_path(platform.include), tag)
nodes = {{name: node for name, node in known.items() if name.rpartition(".")[2] in {MODELS!r}}}
assert len(nodes) == {len(MODELS)}, sorted(nodes)
with DAG("cosmos", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    with TaskGroup("transform") as group:
        dbt_tasks(group, nodes, platform, "{DAY}", {{}})
with DAG("nothing", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
    def nothing(): pass
    chain(*(task(task_id=f"nothing_{{number}}")(nothing)() for number in range({len(MODELS)})))
"""


def main() -> None:
    """Print what each of them cost, and Cosmos's part for each model."""
    with empty_cloud(), tempfile.TemporaryDirectory() as folder:
        _compare(Path(folder), _publish())


def _publish() -> int:
    """Publish the shop's day; returns its rows."""
    from google.cloud import bigquery

    from local.day import generate, publish

    client = bigquery.Client()
    for dataset in ("silver", "staging", "gold"):
        client.create_dataset(dataset, exists_ok=True)
    outcomes = [
        outcome
        for source, landed in generate("shop", DAY, 0.05, SOURCES).items()
        for outcome in publish(client, "shop", source, landed)
    ]
    return sum(outcome.silver for outcome in outcomes)


def _compare(folder: Path, rows: int) -> None:
    (folder / "dags").mkdir()
    (folder / "dags/cosmos_overhead.py").write_text(DAGS)
    places = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--target-path", str(folder)]
    commands = {
        "dbt build": ["dbt", "build", "--select", *MODELS, *places],
        "Cosmos's tasks": ["airflow", "dags", "test", "cosmos", str(DAY)],
        "tasks that do nothing": ["airflow", "dags", "test", "nothing", str(DAY)],
    }
    # A cache of its own, so that the first run is one without a parse of the project.
    env = {
        "HOURGLASS_EVENT_DATES": str(DAY),
        "AIRFLOW__COSMOS__CACHE_DIR": str(folder / "cosmos"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
    }
    for name in ("first run", "second run"):
        costs = {kind: run(command, folder / "log", env) for kind, command in commands.items()}
        if name == "first run":
            ran = json.loads((folder / "run_results.json").read_text("utf-8"))["results"]
            tests = len(ran) - len(MODELS)
            print(f"{len(MODELS)} models with {tests} tests on {rows} rows: wall s / CPU s")
        print(name)
        for kind, cost in costs.items():
            print(f"  {kind:22} {cost.wall:6.1f} / {cost.cpu:6.1f}   a model {_each(cost)}")
        plain, cosmos, idle = costs.values()
        more = Cost(cosmos.wall - plain.wall - idle.wall, cosmos.cpu - plain.cpu - idle.cpu, 0)
        print(f"  beyond dbt and Airflow {more.wall:6.1f} / {more.cpu:6.1f}   a model {_each(more)}")


def _each(cost: Cost) -> str:
    return f"{cost.wall / len(MODELS):5.2f} / {cost.cpu / len(MODELS):5.2f}"


if __name__ == "__main__":
    main()
