"""Run one partition of each of several DAGs in one interpreter, as `airflow dags test` runs one.

Arguments: RESULTS LOGS SOURCE=START… Each run adds a line of JSON to the file RESULTS; its log is LOGS/SOURCE.log.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def main(arguments: list[str]) -> None:
    results, logs, *wanted = arguments
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    for broken, text in bag.import_errors.items():
        sys.stderr.write(f"{broken}: {text}\n")
    for item in wanted:
        source, _, start = item.partition("=")
        moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
        with Path(logs, f"{source}.log").open("w") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            found = run(bag, source, moment)
            sys.stdout.flush()
            sys.stderr.flush()
        with Path(results).open("a") as out:
            out.write(json.dumps({"source": source, **found}) + "\n")


def run(bag: Any, source: str, moment: datetime) -> dict[str, Any]:
    """State, wall and CPU seconds of one run; Spark's are its driver's own and not among them."""
    wall, cpu = time.monotonic(), time.process_time()
    try:
        for task in bag.dags[source].tasks:
            task.retries = 0  # the first failure is what the test wants to show
        state = str(bag.dags[source].test(logical_date=moment).state)
    except Exception:
        traceback.print_exc()
        state = "raised"
    return {
        "state": state,
        "wall": round(time.monotonic() - wall, 1),
        "cpu": round(time.process_time() - cpu, 1),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
