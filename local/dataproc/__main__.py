"""python -m local.dataproc: the local Dataproc server, until SIGTERM or SIGINT.

A stop ends the drivers too; after a kill -9 they run on, and the next server takes them up again.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from local.dataproc.batches import Batches, Limits
from local.dataproc.launch import Spark
from local.dataproc.objects import Objects
from local.dataproc.properties import Laptop
from local.dataproc.runner import Runner
from local.dataproc.server import run, serve
from local.iceberg.java import JavaError, java_home

_ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop.

    Args:
        arguments: the command line without the program, or None for the real one.

    Returns:
        The exit code: 0 after a stop, 2 when the server cannot start.
    """
    options = _options(arguments)
    options.data_dir.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    lock = (options.data_dir / "lock").open("w")  # held until this process ends, however it ends
    try:
        _take(lock, options.data_dir)
        batches = _batches(options)
        server, port = serve(batches, f"{options.host}:{options.port}")
    except (JavaError, RuntimeError, OSError) as error:
        print(f"local.dataproc cannot start: {error}", file=sys.stderr)
        return 2
    print(f"ready on {options.host}:{port}", flush=True)
    run(batches, server)
    return 0


def _take(lock: IO[str], data_dir: Path) -> None:
    """Make sure that no other server works on the same batches."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RuntimeError(f"another local Dataproc uses {data_dir}. Stop it with `make down`.") from error


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.dataproc", description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True, help="<cloud>/data/dataproc")
    parser.add_argument("--log-dir", type=Path, help="drivers' output; default: logs/ beside data/")
    return parser.parse_args(arguments)


def _batches(options: argparse.Namespace) -> Batches:
    data = options.data_dir.resolve()
    logs = (options.log_dir or data.parents[1] / "logs").resolve()
    endpoint = os.environ.get("STORAGE_EMULATOR_HOST", "")
    if not endpoint:
        raise RuntimeError(
            "STORAGE_EMULATOR_HOST is not set, but batches' files come from the local GCS. "
            "Start with `make up`."
        )
    venv = _ROOT / ".local" / "venvs" / "spark" / "bin"
    if not (venv / "spark-submit").is_file():
        raise RuntimeError(f"{venv / 'spark-submit'} is missing: Spark is not installed. Run `make up`.")
    project = os.environ.get("HOURGLASS_PROJECT", "hourglass-local")
    laptop = Laptop(
        jars=_ROOT / ".local" / "jars" / "spark",
        gcs_endpoint=endpoint,
        project=project,
        memory=os.environ.get("HOURGLASS_DATAPROC_MEMORY", "2g"),
        quick_compiler=os.environ.get("HOURGLASS_DATAPROC_QUICK", "1") != "0",
    )
    spark = Spark(submit=venv / "spark-submit", python=venv / "python", java_home=java_home(), laptop=laptop)
    bucket = os.environ.get("HOURGLASS_OPS_BUCKET", "hourglass-ops")
    runner = Runner(spark, Objects(endpoint, project), bucket, logs)
    slots = int(os.environ.get("HOURGLASS_DATAPROC_SLOTS", "1"))
    return Batches(data / "batches", runner, Limits(slots=slots))


if __name__ == "__main__":
    sys.exit(main())
