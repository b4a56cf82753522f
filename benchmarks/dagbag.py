"""How long the DAG processor's cold parse takes, beside an empty DAG file in the same Airflow."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROBE = """
import json, logging, sys, time
logging.disable(logging.CRITICAL)
wall, cpu = time.perf_counter(), time.process_time()
from airflow.dag_processing.dagbag import DagBag
airflow = time.perf_counter() - wall, time.process_time() - cpu
wall, cpu = time.perf_counter(), time.process_time()
bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
dags = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps({"airflow": airflow, "dags": dags, "count": len(bag.dags)}))
"""
PEER = """from datetime import datetime
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG("peer", start_date=datetime(2021, 1, 1), schedule=None):
    EmptyOperator(task_id="nothing")
"""


def main(runs: int = 5) -> None:
    """Print medians of several cold interpreters, the two kinds in turn."""
    with tempfile.TemporaryDirectory() as folder:
        peer = Path(folder, "dags")
        peer.mkdir()
        (peer / "peer.py").write_text(PEER)
        kinds = {"hourglass (dags/)": ROOT / "dags", "peer (one empty DAG)": peer}
        results: dict[str, list[dict[str, list[float]]]] = {name: [] for name in kinds}
        for _ in range(runs):
            for name, path in kinds.items():
                results[name].append(_measure(path, Path(folder)))
    print(f"DagBag, cold, median of {runs} interpreters (wall s / CPU s)")
    for name, found in results.items():
        cells = [
            "/".join(f"{statistics.median(run[part][i] for run in found):5.2f}" for i in (0, 1))
            for part in ("airflow", "dags")
        ]
        print(f"  {name:22}  import airflow {cells[0]}   import the DAGs {cells[1]}")


def _measure(dags: Path, home: Path) -> dict[str, list[float]]:
    env = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__COSMOS__ENABLE_TELEMETRY": "False",
        "HOURGLASS_PROJECT": "bench",
        "PYTHONPATH": str(ROOT / "plugins"),
    }
    command = [sys.executable, "-c", PROBE, str(dags)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
