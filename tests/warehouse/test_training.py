"""Training sets at a point in time (with planted leaks) and the features' statistics: against pandas."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from google.cloud import bigquery

from hourglass.config.features import load_registry
from tests.warehouse.published import INCLUDE

if TYPE_CHECKING:
    from tests.warehouse.published import Warehouse

pytestmark = pytest.mark.cloud
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 14
USERS, PHOTOS = [f"user-{n}" for n in range(12)], [f"photo-{n}" for n in range(8)]
V1, V2 = (f"gold.training_photo_interest_v{n}" for n in (1, 2))
STATISTICS = "gold.feature_statistics"
OF_USER = ["sessions_1d", "events_7d", "views_7d", "active_days_7d", "interaction_rate_7d"]
OF_PHOTO = ["views_7d", "users_7d", "interaction_rate_7d", "views_1d_share"]
LEAK = 999_999  # stands only in features that were not known yet, or were too old
NUMERIC = [f for f in load_registry(INCLUDE).features if f.type in ("INT64", "FLOAT64", "NUMERIC")]
ALWAYS_THE_SAME = {"mean_session_seconds_7d": 1 / 3}
ABSENT = ("posts_7d", FIRST.date())  # null in every row of that day
Row = dict[str, Any]


def events(seed: int) -> list[Row]:
    draw = random.Random(seed)
    kinds = ["view", "view", "view", "react", "share", "click", "post"]
    return [
        {
            "event_at": (FIRST + timedelta(seconds=draw.randrange(DAYS * 86_400))).replace(microsecond=0),
            "event_type": draw.choice(kinds),
            "user_id": draw.choice(USERS),
            "content_id": draw.choice([*PHOTOS, None]),
        }
        for _ in range(900)
    ]


def features(model: str, entity: str, entities: list[str], seed: int) -> list[Row]:
    """Features of most entities on some days, of the last one only before the labels' first week."""
    draw = random.Random(seed)
    columns = [f.source_column for f in NUMERIC if f.model == model]
    rows = []
    for day in range(-12, DAYS):
        date = FIRST + timedelta(days=day)
        for one in draw.sample(entities[: -1 if day >= 0 else None], k=len(entities) // 2):
            values: Row = {c: draw.randrange(100) for c in columns}
            rates = {c: v / 7 for c, v in values.items() if "rate" in c or c.endswith("share")}
            same = {c: v for c, v in ALWAYS_THE_SAME.items() if c in columns}
            unknown = dict.fromkeys(c for c in columns if draw.random() < 0.1 or (c, date.date()) == ABSENT)
            known = {"event_date": date.date(), "available_at": date + timedelta(days=1), entity: one}
            rows.append(known | values | rates | same | unknown)
    return rows


def load(client: bigquery.Client, table: str, rows: list[Row]) -> None:
    kinds = {str: "STRING", int: "INT64", float: "FLOAT64", bool: "BOOL", datetime: "TIMESTAMP"}
    kinds[type(FIRST.date())] = "DATE"
    sample = {k: v for row in rows for k, v in row.items() if v is not None}
    config = bigquery.LoadJobConfig(
        schema=[bigquery.SchemaField(name, kinds[type(value)]) for name, value in sample.items()],
        write_disposition="WRITE_TRUNCATE",
    )
    plain = [{k: v.isoformat() if hasattr(v, "isoformat") else v for k, v in row.items()} for row in rows]
    client.load_table_from_json(plain, table, job_config=config).result()


def labelled(rows: list[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(rows).dropna(subset=["content_id"])
    frame["event_date"] = frame["event_at"].dt.date
    groups = []
    for (date, user, photo), group in frame.groupby(["event_date", "user_id", "content_id"]):
        views = group[group["event_type"] == "view"]
        if len(views):
            interested = group["event_type"].isin(["react", "share"]).any()
            groups.append((date, user, photo, views["event_at"].min(), bool(interested)))
    names = ["event_date", "user_id", "content_id", "label_at", "label_interested"]
    return pd.DataFrame(groups, columns=names).sort_values("label_at").reset_index(drop=True)


def joined(
    labels: pd.DataFrame, rows: list[Row], entity: str, columns: list[str], prefix: str
) -> pd.DataFrame:
    known = pd.DataFrame(rows)[["available_at", entity, *columns]].sort_values("available_at")
    known["label_at"] = known["available_at"]
    found = pd.merge_asof(
        labels, known, on="label_at", by=entity, direction="backward",
        tolerance=pd.Timedelta(days=7) - pd.Timedelta(microseconds=1),
    )  # fmt: skip
    return found.rename(
        columns={"available_at": f"{prefix}_features_at"} | {c: f"{prefix}_{c}" for c in columns}
    )


def plain(frame: pd.DataFrame, columns: list[str]) -> list[tuple[Any, ...]]:
    def value(item: Any) -> Any:
        if pd.isna(item):
            return None
        if isinstance(item, float) and item.is_integer():
            return int(item)
        return item.to_pydatetime() if isinstance(item, pd.Timestamp) else item

    return sorted(tuple(value(v) for v in row) for row in frame[columns].itertuples(index=False))


@pytest.fixture(scope="module")
def made(warehouse: Warehouse) -> dict[str, Any]:
    """Both versions built day by day, from the last to the first, and then in full."""
    known = {
        "events": events(1),
        "users": features("user_features", "user_id", USERS, 2),
        "photos": features("recommendation_features", "content_id", PHOTOS, 3),
    }
    stored = [{**row, "event_date": row["event_at"].date()} for row in known["events"]]
    load(warehouse.client, "gold.fct_user_engagement", stored)
    held = {}
    for name, entity, model in (
        ("users", "user_id", "user_features"),
        ("photos", "content_id", "recommendation_features"),
    ):
        rows = [leaking(row, known["events"], entity) for row in known[name]]
        load(warehouse.client, f"gold.{model}", rows)
        held[model] = pd.DataFrame(rows)
    dates = sorted({str(row["event_date"]) for row in (*stored, *known["users"])}, reverse=True)
    selected = ("training_photo_interest_v1", "training_photo_interest_v2", "feature_statistics")
    for some, command in ((dates[:6], "run"), (dates[6:], "build")):
        warehouse.build(",".join(some), *selected, command=command)
    in_parts = warehouse.checksums(V1, V2, STATISTICS)
    warehouse.build("all", *selected, command="run --full-refresh")
    return {**known, "stored": held, "in_parts": in_parts, "whole": warehouse.checksums(V1, V2, STATISTICS)}


def leaking(row: Row, happened: list[Row], entity: str) -> Row:
    """The row, spoilt where no label may use it: nothing happened to its entity while it was known and fresh."""
    end = row["available_at"] + timedelta(days=7)
    used = any(e[entity] == row[entity] and row["available_at"] <= e["event_at"] < end for e in happened)
    spoilt = {c: type(v)(LEAK) for c, v in row.items() if c in (*OF_USER, *OF_PHOTO) and v is not None}
    return row if used else {**row, **spoilt}


def test_features_are_those_that_were_known_when_the_photo_was_seen(
    warehouse: Warehouse, made: dict[str, Any]
) -> None:
    expected = joined(labelled(made["events"]), made["users"], "user_id", OF_USER, "user")
    names = [
        "event_date", "user_id", "content_id", "label_at", "label_interested", "user_features_at",
        *(f"user_{c}" for c in OF_USER),
    ]  # fmt: skip
    assert plain(pd.DataFrame(warehouse.rows(V1)), names) == plain(expected, names)
    both = joined(expected, made["photos"], "content_id", OF_PHOTO, "photo")
    names += ["photo_features_at", *(f"photo_{c}" for c in OF_PHOTO)]
    assert plain(pd.DataFrame(warehouse.rows(V2)), names) == plain(both, names)


def test_no_planted_leak_comes_through(warehouse: Warehouse, made: dict[str, Any]) -> None:
    planted = warehouse.client.query_and_wait(
        f"SELECT COUNTIF(events_7d = {LEAK}), COUNT(*) FROM gold.user_features"
    )
    ((spoilt, total),) = (tuple(row.values()) for row in planted)
    assert 0 < spoilt < total
    rows = warehouse.rows(V2)
    assert [r for r in rows if LEAK in r.values()] == []
    missing = [r for r in rows if r["user_features_at"] is None]
    assert 0 < len(missing) < len(rows)


def test_both_versions_stand_side_by_side_and_any_order_of_days_gives_the_same(made: dict[str, Any]) -> None:
    assert made["in_parts"] == made["whole"]
    assert made["whole"].keys() == {V1, V2, STATISTICS}


def test_statistics_compare_each_registered_feature_with_the_week_before(
    warehouse: Warehouse, made: dict[str, Any]
) -> None:
    found = {(r["feature_set"], r["feature"], r["event_date"]): r for r in warehouse.rows(STATISTICS)}
    assert {(set_, name) for set_, name, _ in found} == {(f.model, f.source_column) for f in NUMERIC}
    for (set_, name, date), row in found.items():
        stored = made["stored"][set_]
        day = stored.loc[stored["event_date"] == date, name]
        week = stored.loc[
            (stored["event_date"] < date) & (stored["event_date"] >= date - timedelta(days=7)), name
        ]
        assert (row["entities"], row["missing"]) == (len(day), day.isna().sum())
        expected = {
            "null_rate": day.isna().mean(),
            "mean": day.mean(),
            "deviation": day.std(ddof=0),
            "baseline_null_rate": week.isna().mean(),
            "baseline_mean": week.mean(),
            "baseline_deviation": week.std(ddof=0),
            "drift": (day.mean() - week.mean()) / week.std(ddof=0) if week.nunique() > 1 else None,
        }
        for column, value in expected.items():
            where = (set_, name, date, column)
            wanted = None if pd.isna(value) else pytest.approx(value, rel=1e-3, abs=1e-4)
            assert row[column] == wanted, where
    same = [row for (_, name, _), row in found.items() if name in ALWAYS_THE_SAME]
    assert {row["baseline_deviation"] for row in same} == {None, 0.0}


def test_drift_and_nulls_are_warned_of(warehouse: Warehouse, made: dict[str, Any]) -> None:
    drifted = [r for r in warehouse.rows(STATISTICS) if abs(r["drift"] or 0) > 1]
    done = warehouse.dbt("all", "test", "--select", "feature_statistics")
    assert done.success
    failures = {r.node.name: r.failures for r in done.result if str(r.status) == "warn"}
    assert failures["feature_statistics__no_drift"] == len(drifted) > 0
    assert failures["feature_statistics__no_jump_of_nulls"] > 0
    (absent,) = warehouse.rows(STATISTICS, "feature = '{}' and event_date = '{}'".format(*ABSENT))
    assert (absent["null_rate"], absent["mean"], absent["drift"]) == (1.0, None, None)
