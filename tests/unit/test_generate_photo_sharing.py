"""A generated day of the photo-sharing app: what its sources would make of the rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from recount import Bad, Judge

from hourglass.config import load_source
from hourglass.generate.platforms import photo_sharing
from hourglass.partition import Partition

INCLUDE = Path(__file__).resolve().parents[2] / "include"
DAY, SCALE = date(2024, 6, 2), 0.004
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def hours() -> dict[datetime, Rows]:
    return photo_sharing.day(DAY, scale=SCALE)["mobile_sdk"]


def judged(hour: datetime, rows: Rows) -> set[str]:
    """Why the rows would be quarantined; good ones give nothing."""
    judge = Judge(load_source("mobile_sdk", INCLUDE), Partition(hour))
    reasons = set()
    for row in rows:
        try:
            judge.row(row)
        except Bad as why:
            reasons.add(str(why))
        else:
            reasons.add("good")
    return reasons


def test_good_rows_are_good_and_bad_ones_bad(hours: dict[datetime, Rows]) -> None:
    for hour, rows in hours.items():
        assert judged(hour, rows) == {"good"}
    bad = photo_sharing.bad(DAY, scale=SCALE)["mobile_sdk"]
    assert sum(map(len, bad.values())) > 2
    for hour, rows in bad.items():
        assert "good" not in judged(hour, rows)


def test_a_full_day_has_200_000_events_and_some_are_late_or_sent_twice(hours: dict[datetime, Rows]) -> None:
    delays = [
        hour - datetime.fromisoformat(row["event_timestamp"]) for hour, rows in hours.items() for row in rows
    ]
    ids = [row["event_id"] for rows in hours.values() for row in rows]
    assert len(ids) / SCALE > 200_000
    assert 0.005 < 1 - len(set(ids)) / len(ids) < 0.03
    assert timedelta(hours=3) < max(delays) <= timedelta(hours=4)
    assert max(hours) >= datetime.fromisoformat("2024-06-03T02:00:00+00:00")


def test_both_trackers_count_around_the_cut_over_only() -> None:
    sources = {day: set(photo_sharing.day(date.fromisoformat(day), scale=0.001)) for day in (
        "2024-05-17", "2024-05-18", "2024-06-01", "2024-06-16",
    )}  # fmt: skip
    assert sources == {
        "2024-05-17": {"ga4"},
        "2024-05-18": {"ga4", "mobile_sdk"},
        "2024-06-01": {"ga4", "mobile_sdk"},
        "2024-06-16": {"mobile_sdk"},
    }


def test_a_seed_gives_the_same_rows_again(hours: dict[datetime, Rows]) -> None:
    assert photo_sharing.day(DAY, scale=SCALE)["mobile_sdk"] == hours
    assert photo_sharing.day(DAY, seed=2, scale=SCALE)["mobile_sdk"] != hours
