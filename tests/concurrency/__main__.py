"""make concurrency: a day of one source and an hour of four others at once, by Airflow's own components.

    python -m tests.concurrency [HOURS]

The day is back-filled (24 hours unless told otherwise) while its first hour has run, its second runs, and its last has
no file. Afterwards every partition is what its files say, and docs/reference/concurrency.md has what it cost.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from hourglass.config import Platform, load_source
from hourglass.generate.core import Rates, Tally
from hourglass.generate.write import generate
from hourglass.ledger.store import states
from hourglass.partition import Partition
from tests.concurrency.memory import Memory
from tests.concurrency.page import PAGE, page
from tests.e2e.landed import upload
from tests.kills.hour import SOURCE, Hour
from tests.kills.real_airflow import RealAirflow, real_airflow

OTHERS = ("inventory", "sessions", "user_activity", "users")
DAY = datetime(2021, 7, 22, tzinfo=UTC)
MOMENT = datetime(2026, 1, 5, 6, 20, tzinfo=UTC)
ROWS = 200
SLOTS = 2  # drivers at a time, so that hours commit to one Iceberg table while others do
ACTIVE = 8  # runs of the backfill at a time
PATIENCE_SECONDS = 7200.0


def main(count: int) -> None:
    """Run it, check it, and write the page.

    Args:
        count: How many hours the day has; four at least.

    Raises:
        AssertionError: A partition is not what its files say.
    """
    folder = Path(tempfile.mkdtemp(prefix="hourglass-concurrency-"))
    settings = {"HOURGLASS_DATAPROC_SLOTS": str(SLOTS)}
    with real_airflow(folder, (SOURCE, *OTHERS), settings) as airflow:
        hours = [Hour(f"{DAY + timedelta(hours=n):%Y-%m-%dT%H}", folder) for n in range(count)]
        for hour in hours[:-1]:
            hour.land("A")
        tallies = land_others(airflow, folder)
        for name in (SOURCE, *OTHERS):
            airflow.unpause(name)
        say("the first hour alone")
        alone = run_the_first(airflow, hours[0])
        with Memory(airflow.cloud.layout.cloud) as memory:
            found = run_all(airflow, hours)
        reprocess(airflow, hours)
        check(airflow, hours, tallies)
        found |= {"alone": alone, "hours": count, "slots": SLOTS}
        PAGE.write_text(page(found, memory.peak), "utf-8")
    shutil.rmtree(folder)


def land_others(airflow: RealAirflow, folder: Path) -> dict[str, Tally]:
    """Generate and land an hour of each other source; what it must come to."""
    include, tallies = Path(os.environ["HOURGLASS_INCLUDE"]), {}
    for name in OTHERS:
        source = load_source(name, include)
        partition = Partition.containing(MOMENT, source.grain)
        rates = Rates(late=0.05, duplicates=0.05, bad=0.06)
        tallies[name] = generate(source, partition, folder / name, ROWS, rates)
        upload(airflow.cloud, source.bucket, folder / name, partition.start)
    return tallies


def run_the_first(airflow: RealAirflow, hour: Hour) -> float:
    """Run an hour with nothing beside it; its seconds."""
    begin = time.monotonic()
    airflow.run(SOURCE, hour.start)
    airflow.settle([SOURCE], PATIENCE_SECONDS)
    return time.monotonic() - begin


def run_all(airflow: RealAirflow, hours: list[Hour]) -> dict[str, Any]:
    """Everything at once; the seconds that it took, and what `outcome` counts."""
    begin = time.monotonic()
    moment = MOMENT.replace(minute=0)
    for name in OTHERS:
        airflow.run(name, moment)
    airflow.run(SOURCE, hours[1].start)
    airflow.wait(lambda: state_of(airflow, hours[1]) == "running", 300, f"{hours[1].key} does not run")
    say("a backfill of the day: the first hour has run, the second runs, the last has no file")
    airflow.backfill(SOURCE, hours[0].start, hours[-1].start, f"--max-active-runs={ACTIVE}")
    airflow.settle([SOURCE, *OTHERS], PATIENCE_SECONDS)
    states = {hour.key: state_of(airflow, hour) for hour in hours}
    expected = {hour.key: "failed" if hour is hours[-1] else "success" for hour in hours}
    assert states == expected, states
    tries = {run.run_id: run.tries["sense.admit"] for run in airflow.runs(SOURCE, tasks=True)}
    assert set(tries.values()) == {1}, f"the backfill ran an hour again: {tries}"
    return outcome(airflow) | {"seconds": time.monotonic() - begin}


def reprocess(airflow: RealAirflow, hours: list[Hour]) -> None:
    """The hour without a file gets one, and the first hour another; both come in by a backfill."""
    first, missing = hours[0].start, hours[-1]
    say("the missing file comes, and `--reprocess-behavior failed` takes its hour in")
    missing.land("A")
    airflow.backfill(SOURCE, first, missing.start, "--reprocess-behavior=failed")
    airflow.settle([SOURCE], PATIENCE_SECONDS)
    say("the first hour's file is replaced, and `--reprocess-behavior completed` runs it again")
    hours[0].land("B")
    airflow.backfill(SOURCE, first, first, "--reprocess-behavior=completed")
    airflow.settle([SOURCE], PATIENCE_SECONDS)


def state_of(airflow: RealAirflow, hour: Hour) -> str:
    """The state of an hour's one run."""
    (run,) = [r for r in airflow.runs(SOURCE) if r.logical_date == hour.start]
    return run.state


def check(airflow: RealAirflow, hours: list[Hour], tallies: Mapping[str, Tally]) -> None:
    """Every partition has one run, that succeeded, and is published as its files say."""
    for name in (SOURCE, *OTHERS):
        runs = airflow.runs(name)
        assert {run.state for run in runs} == {"success"}, runs
        assert len({run.logical_date for run in runs}) == len(runs), "a partition has two runs"
    for hour in hours:
        version = "B" if hour is hours[0] else "A"
        assert set(hour.shown().values()) == {version}, f"{hour.key}: {hour.shown()}"
        assert not hour.live_batches(), hour.key
        expected = hour.expected[version]
        counts = (expected.lines, len(expected.silver), expected.quarantined.total(), expected.duplicates)
        check_ledger(SOURCE, hour.start, counts)
    for name, tally in tallies.items():
        counts = (tally.lines, tally.silver, tally.quarantined, tally.duplicates)
        check_ledger(name, MOMENT.replace(minute=0), counts)
        silver = query(f"SELECT COUNT(*) AS n FROM silver.{name} WHERE landing_hour = @start", MOMENT)
        assert silver == [{"n": tally.silver}], f"{name}: {silver}, not {tally.silver}"
    say(f"{len(hours)} hours of {SOURCE} and one of {', '.join(OTHERS)} are what their files say")


def check_ledger(source: str, start: datetime, counts: tuple[int, int, int, int]) -> None:
    """The ledger's row of a partition: every line is published, quarantined or a repeat, and so many of each."""
    client = bigquery.Client(location="US")
    (row,) = states(client, Platform.from_env(), source, start, start + timedelta(minutes=59))
    found = tuple(row[name] for name in ("lines", "silver", "quarantined", "duplicates"))
    assert (row["state"], found) == ("published", counts), f"{source} {start}: {row}, not {counts}"
    assert found[0] == sum(found[1:])


def query(sql: str, start: datetime) -> list[dict[str, Any]]:
    """Rows of the partition that a moment lies in."""
    hour = bigquery.ScalarQueryParameter("start", "TIMESTAMP", start.replace(minute=0))
    config = bigquery.QueryJobConfig(query_parameters=[hour])
    return [dict(r.items()) for r in bigquery.Client(location="US").query(sql, job_config=config).result()]


def outcome(airflow: RealAirflow) -> dict[str, Any]:
    """How many runs and tasks succeeded, which needed more than a try, and what Iceberg's commits met."""
    runs = [run for name in (SOURCE, *OTHERS) for run in airflow.runs(name, tasks=True)]
    tasks = [
        (task, run.tries[task]) for run in runs for task, state in run.tasks.items() if state == "success"
    ]
    again = Counter(task for task, tries in tasks if tries > 1)
    logs = [p.read_text(errors="replace") for p in airflow.cloud.layout.logs.glob("dataproc-refine-*.log")]
    conflicts = sum(text.count("Retrying task after failure") for text in logs)
    return {"runs": len(runs), "tasks": len(tasks), "again": dict(again), "conflicts": conflicts}


def say(text: str) -> None:
    """Tell a person."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 24)
