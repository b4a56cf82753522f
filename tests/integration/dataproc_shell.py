"""The Dataproc server with a shell in Spark's place: its "main Python file" is a shell script.

The server is what is tested; a driver that starts in milliseconds allows many tests.
Started as a program by test_dataproc_emulator.py.
"""

from __future__ import annotations

import argparse
import os
from datetime import timedelta
from pathlib import Path

from local.dataproc.batches import Batches, Limits
from local.dataproc.launch import Spark
from local.dataproc.objects import Objects
from local.dataproc.properties import Laptop
from local.dataproc.runner import Runner
from local.dataproc.server import run, serve

# spark-submit --properties-file FILE [--py-files FILES] main.py args...
_SUBMIT = """#!/bin/sh
shift 2
if [ "$1" = --py-files ]; then PY_FILES=$2; export PY_FILES; shift 2; fi
exec /bin/sh "$@"
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    submit = options.data_dir / "spark-submit"
    options.data_dir.mkdir(parents=True, exist_ok=True)
    submit.write_text(_SUBMIT)
    submit.chmod(0o755)
    endpoint = os.environ["STORAGE_EMULATOR_HOST"]
    spark = Spark(submit, Path("python3"), Path("/nonexistent"), Laptop(options.data_dir, endpoint))
    logs = options.data_dir.parents[1] / "logs"
    runner = Runner(spark, Objects(endpoint, "p"), "hourglass-ops", logs)
    grace = float(os.environ.get("GRACE_SECONDS", "1"))
    limits = Limits(slots=int(os.environ["SLOTS"]), minimum_ttl=timedelta(seconds=1), grace_seconds=grace)
    batches = Batches(options.data_dir / "batches", runner, limits)
    server, _ = serve(batches, f"127.0.0.1:{options.port}")
    run(batches, server)


if __name__ == "__main__":
    main()
