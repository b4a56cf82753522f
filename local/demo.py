"""Two real hours, end to end, and one screen that shows what became of them."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from local.dag_run import dbt_results, in_cloud, run_dag
from local.demo_screen import show
from local.landing import land

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "github"
HOURS = ("2021-07-21T06", "2021-07-21T07")
STAGES = ("sense", "refine", "gate", "publish", "transform", "serve", "announce")


@dataclass
class Run:
    """One partition's run.

    Args:
        partition: The partition's key.
        seconds: Wall time of each stage, from its first task's start to its last one's end.
        total: Wall time of the whole command.
    """

    partition: str
    seconds: dict[str, float]
    total: float


def main() -> int:
    """Start the local cloud, land, run, show; exit code 1 when something fails."""
    return in_cloud(_demonstrate)


def _demonstrate(console: Console) -> int:
    sys.path.insert(0, str(ROOT / "plugins"))
    runs = []
    for hour in HOURS:
        land_once(hour)
        run = run_hour(hour, console)
        if run is None:
            return 1
        runs.append(run)
    partitions = [_numbers(run) for run in runs]
    (ROOT / ".local" / "demo.json").write_text(json.dumps({"partitions": partitions}, indent=2) + "\n")
    show(console, partitions, _one_entity(HOURS[-1]))
    return 0


def land_once(hour: str) -> None:
    """Put the hour's sample where the source lands, unless the very same bytes are there already."""
    import base64
    import hashlib

    from google.cloud import storage

    from hourglass.config import load_source
    from hourglass.partition import Partition

    bucket, (prefix,) = load_source(SOURCE).prefixes(Partition.parse(hour))
    folder = ROOT / "include" / "samples" / prefix
    there = {b.name: b.md5_hash for b in storage.Client().list_blobs(bucket, prefix=prefix)}
    for file in sorted(folder.glob("*.json.gz")):
        md5 = base64.b64encode(hashlib.md5(file.read_bytes(), usedforsecurity=False).digest()).decode()
        if there.get(f"{prefix}{file.name}") != md5:
            land(SOURCE, hour, [file], ROOT / "include")


def run_hour(hour: str, console: Console | None = None) -> Run | None:
    """Run one hour with `airflow dags test`, showing each stage as it goes.

    Args:
        hour: The partition's key.
        console: Where to show it; nowhere by default.

    Returns:
        The run, or None when it failed.
    """
    done = run_dag(SOURCE, f"{hour}:00:00", _log(hour), console or Console(quiet=True))
    if done.failed:
        return None
    return Run(hour, done.seconds(lambda task: task.partition(".")[0]), done.total)


def _numbers(run: Run) -> dict[str, Any]:
    """What the warehouse, the ledger and Bigtable say of one hour."""
    row = _query(
        "SELECT * FROM ops.partition_ledger WHERE source = @source AND landing_hour = @hour "
        "ORDER BY recorded_at DESC LIMIT 1",
        run.partition,
    )[0]
    counted = {
        "published_rows": "SELECT COUNT(*) AS n FROM silver.github WHERE landing_hour = @hour",
        "quarantine_rows": "SELECT COUNT(*) AS n FROM quarantine.github WHERE landing_hour = @hour",
        "view_rows": "SELECT COUNT(*) AS n FROM gold.mv_github_hourly_events WHERE landing_hour = @hour",
    }
    return {
        "source": SOURCE,
        "partition": run.partition,
        "state": row["state"],
        **{k: row[k] for k in ("objects", "bytes", "lines", "silver", "quarantined", "duplicates")},
        **{name: _query(sql, run.partition)[0]["n"] for name, sql in counted.items()},
        "feature_rows": row["feature_rows"],
        "dbt": dbt_results(_log(run.partition).read_text()),
        "seconds": {stage: run.seconds.get(stage, 0.0) for stage in STAGES},
        "total_seconds": round(run.total, 1),
    }


def _query(sql: str, hour: str) -> list[dict[str, Any]]:
    from google.cloud import bigquery

    from hourglass.partition import Partition

    parameters = [
        bigquery.ScalarQueryParameter("source", "STRING", SOURCE),
        bigquery.ScalarQueryParameter("hour", "TIMESTAMP", Partition.parse(hour).start),
    ]
    client = bigquery.Client(location=os.environ["HOURGLASS_LOCATION"])
    config = bigquery.QueryJobConfig(query_parameters=parameters)
    return [dict(row.items()) for row in client.query(sql, job_config=config).result()]


def _log(hour: str) -> Path:
    return Path(os.environ["HOURGLASS_CLOUD"]) / "logs" / f"demo-{hour}.log"


def _one_entity(hour: str) -> tuple[str, dict[str, Any]]:
    """The busiest actor of an hour and its features as Bigtable serves them."""
    from hourglass.features.read import open_store

    busiest = _query(
        "SELECT actor.login AS entity FROM silver.github WHERE landing_hour = @hour "
        "GROUP BY entity ORDER BY COUNT(*) DESC, entity LIMIT 1",
        hour,
    )[0]["entity"]
    store = open_store(os.environ["HOURGLASS_PROJECT"], os.environ["HOURGLASS_BIGTABLE_INSTANCE"])
    found = store.features("github_actor", busiest)
    return busiest, found.values if found else {}


if __name__ == "__main__":
    sys.exit(main())
