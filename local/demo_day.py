"""A day of all five platforms through the whole daily DAG, and what its marts say then."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from google.cloud import bigquery
from rich.console import Console

from hourglass.config import Platform
from hourglass.config.dbt_manifest import DAILY, manifest_path, read_manifest
from hourglass.features.read import open_store
from local.dag_run import DagRun, dbt_results, in_cloud, run_dag
from local.day import SCALES, Outcome, generate, publish, record
from local.demo_day_screen import HEADLINES, show, table_of_lines
from local.errors import LocalCloudError
from local.published import event_dates

ROOT = Path(__file__).resolve().parents[1]
# A Sunday, so that the week is exported; of the weeks in which the app's clients send to both the SDK and GA4.
DAY = date(2024, 5, 26)
PROJECT = "hourglass-demo-day"  # of its own, so that nothing in a running local cloud is replaced
DAG = "hourglass_daily"
_DATASETS = ("silver", "reference")


def main() -> int:
    """Generate, publish, run, show; exit code 1 when something fails."""
    parser = argparse.ArgumentParser(prog="make demo-day", description=__doc__)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="1 is 200,000 events of the photo-sharing app"
    )
    scale = parser.parse_args().scale
    return in_cloud(partial(_demonstrate, scale=scale))


def _demonstrate(console: Console, scale: float) -> int:
    os.environ["HOURGLASS_PROJECT"] = PROJECT
    platform = Platform.from_env()
    client = bigquery.Client(project=PROJECT, location=platform.location)
    seconds: dict[str, float] = {}
    started = time.monotonic()
    outcomes = _land(console, client, platform, scale)
    seconds["generate and publish"] = round(time.monotonic() - started, 1)
    started = time.monotonic()
    dates = event_dates(day for one in outcomes for day in one.event_dates)
    build_hours(dates, _log("demo-day-hours"), console)
    seconds["models of the sources"] = round(time.monotonic() - started, 1)
    run = run_dag(DAG, str(DAY), _log("demo-day"), console)
    if run.failed:
        return 1
    seconds["daily DAG"] = round(run.total, 1)
    numbers = {
        "day": str(DAY),
        "seconds": seconds,
        "lines": _told(outcomes),
        "tasks": tasks_of(run),
        "dbt": dbt_results(run.log.read_text()),
        "marts": [
            {"platform": h.platform, "says": h.says, "value": _value(client, h.sql)} for h in HEADLINES
        ],
        "user": _one_user(client, platform),
    }
    (ROOT / ".local" / "demo-day.json").write_text(json.dumps(numbers, indent=2, default=str) + "\n")
    show(console, numbers)
    return 0


def _log(name: str) -> Path:
    return Path(os.environ["HOURGLASS_CLOUD"]) / "logs" / f"{name}.log"


def _land(console: Console, client: bigquery.Client, platform: Platform, scale: float) -> list[Outcome]:
    """Put the day's rows into the published tables, and their partitions into the ledger."""
    for dataset in client.list_datasets():  # what an earlier demonstration left
        client.delete_dataset(dataset.reference, delete_contents=True)
    for name in _DATASETS:
        client.create_dataset(name)
    wanted = read_manifest(manifest_path(platform.include)).sources_of(DAILY)
    outcomes: list[Outcome] = []
    with console.status("") as status:
        for name in SCALES:
            status.update(f"{name}: generating {DAY}")
            for source_id, landed in generate(name, DAY, scale, wanted).items():
                status.update(f"{name}: publishing {source_id}")
                outcomes += publish(client, name, source_id, landed)
        record(client, platform, outcomes)
    console.print(table_of_lines(_told(outcomes)))
    console.print(
        "These rows did not go through Spark: what refining adds, hides and refuses was done in plain Python, and the "
        "ledger\nsays what came of it. `make demo` takes two real hours through all seven stages.\n",
        style="dim",
    )
    return outcomes


def build_hours(dates: str, log: Path, console: Console) -> None:
    """Build what the DAGs of sources build of their hours and daily models read: once, for all hours together.

    Args:
        dates: The event dates.
        log: Where dbt's lines go.
        console: Where to show what it does.

    Raises:
        LocalCloudError: A model or a test failed.
    """
    project = str(Platform.from_env().include / "dbt")
    selection = f"--select +tag:{DAILY} --exclude tag:{DAILY} --indirect-selection buildable"
    places = ["--project-dir", project, "--profiles-dir", project, "--target-path", str(log.parent / "dbt")]
    console.print(f"[bold]dbt build {selection}[/]  [dim]log: {log}[/]")
    with log.open("w") as out, console.status("the models of the sources' own DAGs"):
        done = subprocess.run(
            ["dbt", "build", *selection.split(), *places],
            env={**os.environ, "HOURGLASS_EVENT_DATES": dates},
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        end = "".join(log.read_text().splitlines(keepends=True)[-25:])
        raise LocalCloudError(
            f"dbt failed; its log's last lines ({log}):\n{end}Correct that; then `make demo-day`."
        )
    console.print(f"  {_in_words(dbt_results(log.read_text()))}")


def _in_words(results: dict[str, int]) -> str:
    return f"{results['models']} models, {results['tests']} tests passed, {results['warnings']} warned"


def tasks_of(run: DagRun) -> list[dict[str, Any]]:
    """The stages of a run: how many tasks, how long, and the slowest of them."""
    each = run.seconds()
    stages = run.seconds(lambda task: task.partition(".")[0])
    return [
        {
            "stage": stage,
            "tasks": len(own := {t: s for t, s in each.items() if t.startswith(f"{stage}.")}),
            "seconds": seconds,
            "slowest": max(own, key=lambda t: own[t]),
            "slowest_seconds": max(own.values()),
        }
        for stage, seconds in stages.items()
    ]


def _told(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """The counts of each source, summed over its partitions."""
    found: dict[str, dict[str, Any]] = {}
    for one in outcomes:
        row = found.setdefault(
            one.source,
            {
                "platform": one.platform,
                "source": one.source,
                "partitions": 0,
                "lines": 0,
                "silver": 0,
                "late": 0,
                "duplicates": 0,
                "quarantined": 0,
                "reasons": {},
            },
        )
        row["partitions"] += 1
        for name in ("lines", "silver", "late", "duplicates", "quarantined"):
            row[name] += getattr(one, name)
        for reason, count in one.reasons.items():
            row["reasons"][reason] = row["reasons"].get(reason, 0) + count
    return list(found.values())


def _value(client: bigquery.Client, sql: str) -> Any:
    config = bigquery.QueryJobConfig(
        query_parameters=[bigquery.ScalarQueryParameter("day", "DATE", DAY.isoformat())]
    )
    return next(iter(client.query_and_wait(sql, job_config=config)))[0]


def _one_user(client: bigquery.Client, platform: Platform) -> dict[str, Any]:
    """The user with most events of the day, as Bigtable serves them."""
    user = _value(
        client,
        "SELECT user_id FROM gold.user_features WHERE event_date = @day ORDER BY events_1d DESC, user_id LIMIT 1",
    )
    store = open_store(platform.project, platform.bigtable_instance)
    features, next_photos = (store.features(s, user) for s in ("user_features", "user_recommendations"))
    return {
        "user_id": user,
        "features": features.values if features else {},
        "recommendations": next_photos.values["items"][:5] if next_photos else [],
    }


if __name__ == "__main__":
    sys.exit(main())
