"""Generated days of four platforms: what their sources make of the rows."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from recount import Bad, Judge

from hourglass.config import load_source
from hourglass.generate.platforms import configured, lambda_medallion, shop, startup
from hourglass.generate.record import Record, as_moment, data_paths, get
from hourglass.partition import Partition

INCLUDE = Path(__file__).resolve().parents[2] / "include"
DAY, SCALE = date(2026, 1, 5), 0.02
SOURCES = {
    startup: {"events", "users", "sessions"},
    shop: {"orders", "inventory", "user_activity"},
    lambda_medallion: {"clickstream", "transactions", "customer_support", "customer_profiles"},
    configured: {"postgres_orders", "stripe_payments", "aws_data_lake", "salesforce_exports", "iot_sensors"},
}
PLATFORMS = pytest.mark.parametrize(
    "platform", SOURCES, ids=lambda module: module.__name__.rpartition(".")[2]
)


@PLATFORMS
def test_every_row_is_one_that_its_source_accepts(platform: ModuleType) -> None:
    landed = platform.day(DAY, scale=SCALE)
    assert landed.keys() == SOURCES[platform]
    for source_id, hours in landed.items():
        source = load_source(source_id, INCLUDE)
        for hour, rows in hours.items():
            judge = Judge(source, Partition(hour, source.grain))
            assert Counter(_verdict(judge, row) for row in rows) == {"good": len(rows)}, (source_id, hour)


@PLATFORMS
def test_some_rows_come_late_and_some_twice(platform: ModuleType) -> None:
    landed = platform.day(DAY, scale=SCALE)
    midnight = datetime(2026, 1, 6, tzinfo=UTC)
    late = repeats = 0
    for source_id, hours in landed.items():
        source = load_source(source_id, INCLUDE)
        paths = data_paths(source.schema)
        time, key = paths[source.event_time or ""], [paths[k] for k in source.file.deduplication_key or ()]
        seen = [tuple(str(get(row, path)) for path in key) for rows in hours.values() for row in rows]
        repeats += len(seen) - len(set(seen))
        moments = ((hour, as_moment(get(row, time))) for hour, rows in hours.items() for row in rows)
        late += sum(at is not None and hour - at > timedelta(hours=2) for hour, at in moments)
        assert source_id == "salesforce_exports" or max(hours) >= midnight - timedelta(days=1)
    assert late > 2
    assert repeats > 2


@PLATFORMS
def test_a_seed_gives_the_same_rows_again(platform: ModuleType) -> None:
    assert platform.day(DAY, scale=SCALE) == platform.day(DAY, scale=SCALE)
    assert platform.day(DAY, scale=SCALE) != platform.day(DAY, seed=2, scale=SCALE)


def _verdict(judge: Judge, row: Record) -> str:
    try:
        judge.row(row)
    except Bad as why:
        return str(why)
    return "good"
