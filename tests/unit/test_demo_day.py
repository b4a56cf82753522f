"""What `make demo-day` counts and shows."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hourglass.config import load_source
from hourglass.config.dbt_manifest import DAILY, manifest_path, read_manifest
from local import day
from local.dag_run import DagRun, dbt_results
from local.demo_day import DAY, tasks_of
from local.demo_day_screen import HEADLINES, show, table_of_lines
from local.published import refined
from local.refining import ENRICH

INCLUDE = Path(__file__).resolve().parents[2] / "include"
START = datetime(2024, 5, 26, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def wanted() -> set[str]:
    """The sources that daily models read, less what no DAG lands."""
    return read_manifest(manifest_path(INCLUDE)).sources_of(DAILY) - {"ops"}


@pytest.fixture(scope="module")
def landed(wanted: set[str]) -> Mapping[str, Mapping[datetime, list[dict[str, Any]]]]:
    """A small day of every source."""
    found = {}
    for platform in day.SCALES:
        found.update(day.generate(platform, DAY, 0.01, wanted))
    return found


def test_every_partition_that_the_daily_dag_waits_for_is_there(
    landed: Mapping[str, Mapping[datetime, Any]], wanted: set[str]
) -> None:
    assert landed.keys() == wanted
    of_the_day = {s: sum(start.date() == DAY for start in starts) for s, starts in landed.items()}
    assert of_the_day["aws_data_lake"] == 4
    assert {of_the_day[s] for s in ("ga4", "customer_support", "customer_profiles")} == {1}
    assert of_the_day["mobile_sdk"] == of_the_day["users"] == 24


def test_the_day_is_a_sunday_and_the_week_is_exported() -> None:
    assert f"{DAY:%A}" == "Sunday"


def test_lines_are_published_or_quarantined_or_repeats() -> None:
    source = load_source("mobile_sdk")
    rows = [
        {
            "event_id": f"e{n % 900}",  # 100 come twice
            "event_timestamp": (START + timedelta(seconds=n - 50)).isoformat(),  # 50 are late
            "event_type": "view",
            "user_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "user_properties": {"ltv": 70},
            "device": {"os": "ios"},
        }
        for n in range(1000)
    ]
    kept = refined(source, START, rows, ENRICH["mobile_sdk"])
    found = day.outcome("photo_sharing", source, START, rows, kept)
    assert (found.silver, found.duplicates, found.late) == (900, 100, 50)
    assert 0 < found.quarantined == found.lines - 1000 < 20
    assert set(found.reasons) <= {
        "not_json", "wrong_type", "missing_required", "event_time_out_of_range",
        *(rule.reason for rule in source.file.row_rules),
    }  # fmt: skip
    assert found.event_dates == (date(2024, 5, 26),)
    assert {row["user_segment"] for row in kept} == {"medium_value"}


def test_dbts_lines_are_counted() -> None:
    log = "1 of 4 OK created sql incremental model gold.a\n2 of 4 PASS x\n3 of 4 WARN 2 y\n4 of 4 PASS z\nDone. PASS=3"
    assert dbt_results(log) == {"models": 1, "tests": 2, "warnings": 1}


def test_the_screen_shows_stages_numbers_and_times() -> None:
    at = [START + timedelta(seconds=n) for n in range(8)]
    run = DagRun(Path("log"), {"transform.a.run": at[:2], "transform.b.run": at[2:6], "docs.publish": at[6:]})
    tasks = tasks_of(run)
    assert [(t["stage"], t["tasks"], t["seconds"]) for t in tasks] == [
        ("transform", 2, 5.0),
        ("docs", 1, 1.0),
    ]
    lines = {"partitions": 2, "lines": 1500, "late": 1, "duplicates": 2, "quarantined": 3, "silver": 1495}
    marts = [{"platform": h.platform, "says": h.says, "value": 1234} for h in HEADLINES]
    marts[-1]["value"] = None
    out = io.StringIO()
    console = Console(file=out, width=120)
    console.print(
        table_of_lines([{"platform": "shop", "source": s, **lines} for s in ("orders", "inventory")])
    )
    user = {"user_id": "u1", "features": {"views_7d": 9}, "recommendations": ["photo"]}
    dbt = {"models": 52, "tests": 7, "warnings": 0}
    show(
        console,
        {
            "day": str(DAY),
            "dbt": dbt,
            "tasks": tasks,
            "marts": marts,
            "user": user,
            "seconds": {"daily DAG": 61.0},
        },
    )
    said = out.getvalue()
    for part in (
        "3,000",
        "transform.b.run (3.0 s)",
        "1,234",
        "views_7d=9",
        "daily DAG 61 s",
        "52 models",
        "none",
    ):
        assert part in said
    assert {h.platform for h in HEADLINES} == set(day.SCALES)
