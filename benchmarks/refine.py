"""How fast is refine? Beside DuckDB doing the same correct job and plain gunzip, in one run.

`python -m benchmarks.refine [--events 1000000]`. CPU seconds are user and system time of all processes; they say
more than wall time on a shared machine. The issue's bar: a quarter of DuckDB's events per CPU-second, 4 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path

from benchmarks import measure
from benchmarks.events import generate, spec
from local.dataproc.properties import Laptop, java_options

ROOT = Path(__file__).parents[1]
LOCAL = ROOT / ".local"
MIN_RATIO, MAX_BYTES = 0.25, 4 * 10**9
CATALOG = "spark.sql.catalog.lake"


def _spark(spec_file: Path, folder: Path, memory: str) -> tuple[list[str], dict[str, str]]:
    python = LOCAL / "venvs" / "spark" / "bin" / "python"
    jobs = sorted((ROOT / "include" / "spark").glob("*.py"))
    # As the laptop's Dataproc starts Spark, but with Java's second compiler: this batch is not one of seconds.
    laptop = Laptop(LOCAL / "jars" / "spark", gcs_endpoint="", quick_compiler=False)
    if not laptop.class_path() or not python.exists():
        raise SystemExit(f"Spark or its jars are missing below {LOCAL}: run `make setup`")
    conf = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": " ".join(java_options(laptop)),
        "spark.driver.extraClassPath": laptop.class_path(),
        "spark.ui.enabled": "false",
        "spark.log.level": "WARN",
        "spark.sql.shuffle.partitions": "2",
        "spark.local.dir": str(folder / "scratch"),
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        CATALOG: "org.apache.iceberg.spark.SparkCatalog",
        f"{CATALOG}.type": "hadoop",
        f"{CATALOG}.warehouse": (folder / "warehouse").as_uri(),
    }
    command = [
        str(python.with_name("spark-submit")),
        *("--master", "local[2]", "--driver-memory", memory),
        *("--py-files", ",".join(str(path) for path in jobs if path.name != "refine.py")),
        *(word for key, value in conf.items() for word in ("--conf", f"{key}={value}")),
        str(ROOT / "include" / "spark" / "refine.py"),
        spec_file.as_uri(),
    ]
    env = {"PYSPARK_PYTHON": str(python), "PYSPARK_DRIVER_PYTHON": str(python), "SPARK_LOCAL_IP": "127.0.0.1"}
    return command, env


def _refined(objects: list[Path], folder: Path, memory: str) -> tuple[measure.Cost, dict[str, object]]:
    spec_file = folder / "spec.json"
    spec_file.write_text(json.dumps(spec(objects, folder, "bench")))
    command, env = _spark(spec_file, folder, memory)
    cost = measure.run(command, folder / "spark.log", env)
    outcome = json.loads((folder / "outcome.json").read_text())
    print("refine's phases, wall s:", ", ".join(f"{k} {v:.1f}" for k, v in outcome["seconds"].items()))
    unknown = outcome["unknown_fields"].get("experiment", 0)
    return cost, {"counts": outcome["counts"], "reasons": outcome["reasons"], "unknown": unknown}


def _duckdb(objects: list[Path], folder: Path) -> tuple[measure.Cost, dict[str, object]]:
    command = [measure.python(), "-m", "benchmarks.refine_duckdb", str(objects[0].parent), str(folder)]
    cost = measure.run(command, folder / "duckdb.log", {"PYTHONPATH": str(ROOT)})
    return cost, json.loads((folder / "counts.json").read_text())


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--memory", default="2g", help="the Spark driver's heap")
    options = parser.parse_args(arguments)
    folder = LOCAL / "bench" / f"refine-{os.getpid()}"
    events = LOCAL / "bench" / f"events-{options.events}"
    print(f"generating {options.events:,} events (kept in {events.relative_to(ROOT)})", flush=True)
    objects = generate(events, options.events)
    folder.mkdir(parents=True)
    try:
        gunzip = measure.run(
            ["sh", "-c", 'gzip -dc "$@" > /dev/null', "-", *map(str, objects)], folder / "gunzip.log"
        )
        before, theirs = _duckdb(objects, folder)
        cost, ours = _refined(objects, folder, options.memory)
        after, _ = _duckdb(
            objects, folder
        )  # CPU seconds grow with the neighbours' load: measure on both sides
        if ours != theirs:
            raise SystemExit(f"the results differ: refine {ours}, DuckDB {theirs}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    peer = measure.mean(before, after)
    print(f"{'':12} {'CPU s':>8} {'wall s':>8} {'peak MB':>8} {'events/CPU s':>13} {'to DuckDB':>10}")
    for name, one in (("refine", cost), ("DuckDB", peer), ("gunzip", gunzip)):
        print(
            f"{name:12} {one.cpu:8.1f} {one.wall:8.1f} {one.memory / 1e6:8.0f} "
            f"{options.events / one.cpu:13,.0f} {peer.cpu / one.cpu:10.2f}"
        )
    print(f"both found {json.dumps(ours)}")
    missed = peer.cpu / cost.cpu < MIN_RATIO or cost.memory > MAX_BYTES
    print(f"the bar ({MIN_RATIO} of DuckDB, {MAX_BYTES / 1e9:.0f} GB) is {'MISSED' if missed else 'met'}")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
