"""The photo-sharing app's marts on the local BigQuery, against what pandas makes of the generated rows."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

from hourglass.generate.platforms import photo_sharing
from hourglass.generate.platforms.landing import merged
from local.refining import ENRICH
from tests.warehouse import photo_oracle as oracle
from tests.warehouse.published import INCLUDE, Warehouse

pytestmark = pytest.mark.cloud

FIRST, DAYS, SCALE = date(2024, 5, 30), 4, 0.004  # over the cut-over
STAGED = (
    "stg_mobile_sdk__mobile_sdk",
    "stg_mobile_sdk__ios_events",
    "stg_mobile_sdk__android_events",
    "stg_ga4__events",
)
OURS = "config.labels.platform:photo_sharing"
CORE = (
    "fct_user_engagement",
    "fct_user_sessions",
    "daily_user_metrics",
    "dim_users",
    "dim_content",
    "dim_device",
)
TABLES = tuple(
    f"gold.{name}"
    for name in (*CORE, "dim_location", "bridge_content_tags", "bridge_user_interests", "fct_unified_events",
                 "fct_recommendations", "user_features", "recommendation_features")
)  # fmt: skip
INTERMEDIATE = tuple(
    f"intermediate.int_{name}"
    for name in ("event_sequences", "user_states_daily", "user_content_daily", "content_daily", "devices_daily",
                 "locations_daily")
)  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class Built:
    """What was generated, and the warehouse with the marts of it."""

    warehouse: Warehouse
    sdk: dict[datetime, list[Row]]
    ga4: dict[datetime, list[Row]]
    events: pd.DataFrame

    def rows(self, table: str) -> list[Row]:
        return self.warehouse.rows(f"gold.{table}")


@pytest.fixture(scope="module")
def built(warehouse: Warehouse) -> Built:
    """Every mart, built from the hours in another order than they landed in; then with all tests of the models."""
    days = [photo_sharing.day(FIRST + timedelta(days=n), scale=SCALE) for n in range(DAYS)]
    landed = merged(*days)
    warehouse.export("ga4", landed["ga4"])
    for hours, command in zip(_shuffled(list(landed["mobile_sdk"])), ("run", "build"), strict=True):
        rows = {hour: landed["mobile_sdk"][hour] for hour in hours}
        dates = warehouse.publish("mobile_sdk", rows, ENRICH["mobile_sdk"])
        warehouse.build(dates, *STAGED, OURS, command=command)
    events = oracle.events(landed["mobile_sdk"])
    return Built(warehouse, landed["mobile_sdk"], landed["ga4"], events)


def test_every_event_is_there_once_as_it_landed_first(built: Built) -> None:
    sent = [row["event_id"] for rows in built.sdk.values() for row in rows]
    assert len(sent) > len(set(sent))
    assert any(event["landing_hour"] > event["event_at"] for event in built.events.to_dict("records"))
    names = ["event_id", "event_at", "event_date", "event_type", "user_id", "content_id", "user_segment"]
    names += ["device_model", "location_city", "landing_hour", "source_line", "post_text"]
    oracle.same(built.rows("fct_user_engagement"), built.events[names].to_dict("records"), ("event_id",))


def test_sessions_end_with_pauses_and_in_the_night(built: Built) -> None:
    wanted = list(oracle.sessions(built.events))
    nights = [row for row in wanted if row["crosses_midnight"]]
    assert any(
        row["session_end_at"].hour == 1 and row["duration_milliseconds"] > 3 * 3_600_000 for row in nights
    )
    assert any(row["session_start_at"].hour == 2 for row in wanted)
    oracle.same(built.rows("fct_user_sessions"), wanted, ("user_id", "session_start_at"))


def test_sequences_name_what_came_before_and_after(built: Built) -> None:
    rows = built.warehouse.rows("intermediate.int_event_sequences")
    steps = Counter((row["previous_event_type"], row["event_type"]) for row in rows)
    turned = Counter((row["event_type"], row["next_event_type"]) for row in rows)
    wanted: Counter[Any] = Counter()
    for session in oracle.sessions(built.events):
        spans = (built.events["event_at"] >= session["session_start_at"]) & (
            built.events["event_at"] <= session["session_end_at"]
        )
        kinds = built.events[spans & (built.events["user_id"] == session["user_id"])]["event_type"].tolist()
        wanted.update(zip([None, *kinds], [*kinds, None], strict=True))
    assert steps == Counter({pair: n for pair, n in wanted.items() if pair[1]})
    assert turned == Counter({pair: n for pair, n in wanted.items() if pair[0]})


def test_a_users_day_adds_up(built: Built) -> None:
    rows = built.rows("daily_user_metrics")
    oracle.same(rows, oracle.daily_metrics(built.events), ("event_date", "user_id"))
    active = Counter(row["event_date"] for row in rows)
    assert active == built.events.groupby("event_date")["user_id"].nunique().to_dict()


def test_users_have_a_version_for_each_state(built: Built) -> None:
    wanted = list(oracle.users(built.events))
    assert max(row["version"] for row in wanted) >= 3
    rows = built.rows("dim_users")
    oracle.same(rows, wanted, ("user_id", "version"))
    assert len({row["user_key"] for row in rows}) == len(rows)


def test_photos_and_devices_are_as_they_were_told_of_last(built: Built) -> None:
    wanted = list(oracle.contents(built.events))
    assert any(row["creator_id"] is None for row in wanted)
    oracle.same(built.rows("dim_content"), wanted, ("content_id",))
    rows = built.rows("dim_device")
    oracle.same(rows, oracle.devices(built.events), ("device_os", "device_model"))
    models = {row["device_key"]: row["device_model"] for row in rows}
    assert all(models[e["device_key"]] == e["device_model"] for e in built.rows("fct_user_engagement"))


def test_places_lie_in_places(built: Built) -> None:
    rows = {row["location_key"]: row for row in built.rows("dim_location")}
    paths = {key: row["location_path"] for key, row in rows.items()}
    found = {
        (row["location_level"], row["location_path"], paths.get(row["parent_location_key"]))
        for row in rows.values()
    }
    assert found == oracle.places(built.events)
    for event in built.rows("fct_user_engagement"):
        names = [event[f"location_{level}"] for level in ("country", "region", "city")]
        assert paths.get(event["location_key"]) == (" > ".join(filter(None, names)) or None)


def test_the_weights_of_tags_and_interests_sum_to_one(built: Built) -> None:
    tagged = oracle.tags(built.events)
    wanted = [
        {"content_id": content, "tag": tag, "weight": 1 / len(tags)}
        for content, tags in tagged.items()
        for tag in tags
    ]
    oracle.same(built.rows("bridge_content_tags"), wanted, ("content_id", "tag"))
    interests = oracle.interests(built.events)
    found = {(row["user_id"], row["tag"]): row["weight"] for row in built.rows("bridge_user_interests")}
    assert found == pytest.approx(interests, abs=1e-8)


def test_the_calendar_is_pythons(built: Built) -> None:
    rows = {row["date_day"]: row for row in built.rows("dim_date")}
    assert sorted(rows) == [date(2020, 1, 1) + timedelta(days=n) for n in range(4018)]
    for day, row in rows.items():
        year, week, weekday = day.isocalendar()
        assert (row["iso_year"], row["iso_week"], row["day_of_week"]) == (year, week, weekday)
        assert (row["day_name"], row["month_name"]) == (f"{day:%A}", f"{day:%B}")
        assert (row["date_key"], row["day_of_year"]) == (int(f"{day:%Y%m%d}"), day.timetuple().tm_yday)
        assert (row["quarter_of_year"], row["is_weekend"]) == ((day.month + 2) // 3, weekday > 5)
        assert row["month_start_date"] == day.replace(day=1)
        assert (row["month_end_date"] + timedelta(days=1)).day == 1
    roles = built.warehouse.rows("gold.dim_session_date", "session_date = '2024-06-01'")
    assert [(r["session_date_key"], r["session_day_name"]) for r in roles] == [(20240601, "Saturday")]


def test_google_analytics_counts_until_the_cut_over_and_the_sdk_from_then_on(built: Built) -> None:
    rows = built.rows("fct_unified_events")
    found = Counter((r["event_date"], r["origin"], r["event_type"], r["content_id"]) for r in rows)
    wanted = oracle.unified(built.events, built.ga4, date(2024, 6, 1))
    assert {key[1] for key in wanted} == {"ga4", "sdk"}
    assert found == wanted


def test_a_cut_over_that_loses_events_is_caught(built: Built) -> None:
    day = datetime.fromisoformat("2024-05-31T00:00:00+00:00")
    built.warehouse.export("ga4", {day: built.ga4[day][: len(built.ga4[day]) * 8 // 10]})
    tested = built.warehouse.dbt("2024-05-31", "test", "--select", "int_event_counts_daily")
    built.warehouse.export("ga4", {day: built.ga4[day]})
    failed = [node.node.name for node in tested.result if node.status == "fail"]
    assert failed == ["int_event_counts_daily__sources_agree_around_the_cut_over"]


def test_recommendations_are_what_goes_with_a_users_photos(built: Built) -> None:
    wanted = oracle.recommendations(built.events)
    found: dict[Any, list[tuple[str, int]]] = {}
    for row in sorted(built.rows("fct_recommendations"), key=lambda r: r["recommendation_rank"]):
        found.setdefault((row["event_date"], row["user_id"]), []).append((row["content_id"], row["score"]))
    assert any(len(items) == 100 for items in wanted.values())
    assert found == wanted


def test_features_are_those_of_the_week_until_the_day(built: Built) -> None:
    oracle.same(built.rows("user_features"), oracle.user_features(built.events), ("event_date", "user_id"))
    wanted = oracle.photo_features(built.events)
    oracle.same(built.rows("recommendation_features"), wanted, ("event_date", "content_id"))


def test_systems_are_told_apart(built: Built) -> None:
    for system in ("ios", "android"):
        view = f"staging.stg_mobile_sdk__{system}_events"
        found = built.warehouse.rows(view, "landing_hour >= '1970-01-01'")
        wanted = built.events[built.events["device_os"] == system]["event_id"]
        assert {row["event_id"] for row in found} == set(wanted)


def test_an_hours_context_is_of_the_events_that_landed_in_it(built: Built) -> None:
    hour = max(built.sdk, key=lambda at: len(built.sdk[at]))
    landed = oracle.events({hour: built.sdk[hour]})  # a repeat counts again where it landed in another hour
    sessions = {row["event_id"]: row["session_id"] for row in built.sdk[hour]}
    wanted = {}
    for user, of_user in landed.groupby("user_id"):
        last = of_user.iloc[-1]
        wanted[user] = {
            "events": len(of_user),
            "views": int((of_user["event_type"] == "view").sum()),
            "interactions": int(of_user["event_type"].isin(["click", "react", "share"]).sum()),
            "sessions": len({sessions[key] for key in of_user["event_id"]} - {None}),
            "engagement_seconds": float(sum(of_user["seconds"])),
            "last_event_at": last["event_at"],
            "last_event_type": last["event_type"],
            "device_os": last["device_os"],
            "country": next(
                (c for c in reversed(of_user["location_country"].tolist()) if isinstance(c, str)), None
            ),
        }
    sql = (INCLUDE / "sql/features/context_features.sql").read_text("utf-8")
    config = QueryJobConfig(query_parameters=[ScalarQueryParameter("landing_hour", "TIMESTAMP", hour)])
    rows = [dict(row) for row in built.warehouse.client.query_and_wait(sql, job_config=config)]
    assert {row.pop("entity"): row for row in rows} == wanted
    assert len(wanted) > 5


def test_hours_in_their_own_order_give_the_same_rows(built: Built) -> None:
    before = built.warehouse.checksums(*TABLES)
    built.warehouse.drop(*TABLES, *INTERMEDIATE, "silver.mobile_sdk")
    hours = sorted(built.sdk)
    middle = len(hours) // 2
    for part in (hours[:middle], hours[middle:]):
        dates = built.warehouse.publish(
            "mobile_sdk", {hour: built.sdk[hour] for hour in part}, ENRICH["mobile_sdk"]
        )
        built.warehouse.build(dates, *STAGED, OURS, command="run")
    assert built.warehouse.checksums(*TABLES) == before


def test_a_full_refresh_gives_the_rows_of_any_order(built: Built) -> None:
    """Last in the module: it begins without the tables."""
    before = built.warehouse.checksums(*TABLES)
    built.warehouse.drop(*TABLES, *INTERMEDIATE)
    command = "run --full-refresh --exclude dim_date"
    built.warehouse.build("", f"{OURS},config.materialized:incremental", command=command)
    assert built.warehouse.checksums(*TABLES) == before


def _shuffled(hours: list[datetime]) -> Iterator[list[datetime]]:
    """The second half of the hours, then the first and what came late of the second."""
    late = set(random.Random(6).sample(hours, len(hours) // 8))
    first = [hour for number, hour in enumerate(hours) if number < len(hours) // 2 or hour in late]
    yield [hour for hour in hours if hour not in first]
    yield first
