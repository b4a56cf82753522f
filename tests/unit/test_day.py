"""When the daily DAG begins, which event dates it computes, and what its settings may say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hourglass.config import ConfigError
from hourglass.config.dbt_manifest import Manifest, Node, _Config, _Parents
from hourglass.config.warehouse import load_warehouse
from hourglass.partition import Grain, Partition
from hourglass.partition.day import Awaited, DayRule, DayVerdict, assess_day, looked_at

ROOT = Path(__file__).resolve().parents[2]
DAY = Partition.parse("2021-07-21", Grain.DAY)
LONG_AGO = datetime(2015, 1, 1, tzinfo=UTC)
HOURLY = {"github": Awaited(Grain.HOUR, LONG_AGO)}
RULE = DayRule(1.0, timedelta(hours=12))
IN_TIME, TOO_LATE = DAY.end + timedelta(hours=1), DAY.end + timedelta(hours=12)


def row(key: str, state: str = "published", *dates: str, recorded: datetime | None = None) -> dict[str, Any]:
    partition = Partition.parse(key)
    return {
        "source": "github",
        "partition": key,
        "landing_hour": partition.start,
        "state": state,
        "recorded_at": recorded or partition.end,
        "event_dates": [date.fromisoformat(d) for d in dates],
    }


def hours(count: int = 24) -> list[dict[str, Any]]:
    return [row(f"2021-07-21T{hour:02}", "published", "2021-07-21") for hour in range(count)]


@pytest.mark.parametrize(
    ("rows", "share", "now", "verdict"),
    [
        (hours(), 1.0, IN_TIME, DayVerdict.READY),
        (hours(23), 0.5, IN_TIME, DayVerdict.WAITING),
        (hours(23), 1.0, TOO_LATE, DayVerdict.INCOMPLETE),
        (hours(23), 0.95, TOO_LATE, DayVerdict.ENOUGH),
        (hours(22), 0.95, TOO_LATE, DayVerdict.INCOMPLETE),
        ([*hours(23), row("2021-07-21T23", "failed")], 1.0, IN_TIME, DayVerdict.WAITING),
        ([*hours(22), row("2021-07-21T22", "skipped"), row("2021-07-21T23", "overdue")], 1, IN_TIME, DayVerdict.READY),
        ([], 1.0, TOO_LATE, DayVerdict.INCOMPLETE),
    ],
)  # fmt: skip
def test_a_day_begins_with_all_partitions_or_a_share_once_waiting_is_over(
    rows: list[dict[str, Any]], share: float, now: datetime, verdict: DayVerdict
) -> None:
    assert assess_day(DAY, HOURLY, rows, DayRule(share, timedelta(hours=12)), now).verdict is verdict


def test_a_message_names_what_is_missing_and_in_which_state() -> None:
    rows = [*hours(22), row("2021-07-21T22", "failed")]
    found = assess_day(DAY, HOURLY, rows, RULE, IN_TIME)
    assert found.reason == (
        "2 of 24 partitions are not published: "
        "github 2021-07-21T22 (failed), github 2021-07-21T23 (no run has ended)"
    )


def test_sources_are_awaited_at_their_grain_and_from_their_first_day() -> None:
    awaited = {
        "daily": Awaited(Grain.DAY, LONG_AGO),
        "new": Awaited(Grain.HOUR, DAY.end - timedelta(hours=2)),
        "future": Awaited(Grain.HOUR, DAY.end),
    }
    found = assess_day(DAY, awaited, [], RULE, IN_TIME)
    assert found.expected == 3
    assert {m.split(" (")[0] for m in found.missing} == {
        "daily 2021-07-21", "new 2021-07-21T22", "new 2021-07-21T23",
    }  # fmt: skip


def test_event_dates_are_those_of_the_day_and_of_what_was_recorded_again_since_it_began() -> None:
    earlier = "2021-07-18T06"
    rows = [
        *hours(23),
        row("2021-07-21T23", "failed", "2021-07-20"),  # silver may have changed before it failed
        row(earlier, "published", "2021-07-17", "2021-07-18", recorded=DAY.start),
        row("2021-07-19T06", "published", "2021-07-19"),  # the run of that day has seen it
        {**row("2021-07-21T05", "published", "1999-01-01"), "source": "nobody_reads"},
    ]
    found = assess_day(DAY, HOURLY, rows, RULE, IN_TIME)
    assert [str(d) for d in found.event_dates] == ["2021-07-17", "2021-07-18", "2021-07-20", "2021-07-21"]
    start, end = looked_at(DAY)
    assert start <= Partition.parse(earlier).start < end == DAY.end


def test_the_daily_dag_waits_for_every_source_that_its_models_read_be_it_through_others() -> None:
    def node(name: str, tag: str, *parents: str) -> Node:
        return Node(
            "model", f"models/{name}.sql", "hourglass", tags=[tag], depends_on=_Parents(list(parents)),
            config=_Config("view"),
        )  # fmt: skip

    nodes = {
        "model.h.stg": node("stg", "github", "source.h.github.github"),
        "model.h.fct": node("fct", "github", "model.h.stg"),
        "model.h.dim": node("dim", "daily", "model.h.fct", "source.h.ga4.events", "seed.h.list"),
        "model.h.other": node("other", "orders", "source.h.orders.orders"),
    }
    assert Manifest(nodes).sources_of("daily") == {"github", "ga4"}


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("wait: {share: 1.5}\n", "1:15", "less than or equal to 1"),
        ("wait: {patience: 2h}\n", "1:8", "unknown key 'patience'"),
        ("exports: {weekday: sonday}\n", "1:20", "did you mean 'sunday'"),
        ("feature_sets:\n  - {name: Users}\n", "2:12", "'Users' is not allowed here"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(tmp_path: Path, text: str, place: str, says: str) -> None:
    (tmp_path / "warehouse.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_warehouse(tmp_path)
    assert f"warehouse.yaml:{place}: error: " in str(caught.value)
    assert says in str(caught.value)


def test_the_shipped_settings_are_sound() -> None:
    assert load_warehouse(ROOT / "include").wait.share == 1.0
