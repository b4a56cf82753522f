"""The startup's marts, against pandas over the rows that were generated; and the gates between its layers."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from local.published import Row
from tests.warehouse.platforms import Built, Frame, publish, same

pytestmark = pytest.mark.cloud
KEY = ("event_date", "user_id")


@pytest.fixture(scope="module")
def events(business: Built) -> Frame:
    frame = business.frame("events")
    frame["amount"] = [Decimal(str(p["amount"])) if "amount" in p else None for p in frame["payload"]]
    frame["currency"] = [p.get("currency") for p in frame["payload"]]
    frame["is_on_time"] = frame["landing_hour"] - frame["event_at"] <= pd.Timedelta(hours=2)
    frame["usd"] = [
        float(a) if c == "USD" else 0.0 for a, c in zip(frame["amount"], frame["currency"], strict=True)
    ]
    return frame


@pytest.fixture(scope="module")
def metrics(business: Built, events: Frame) -> Frame:
    """What every user did on every day, from the events and sessions themselves."""
    found = events.groupby(list(KEY)).agg(
        events=("event_id", "size"),
        revenue_usd=("usd", "sum"),
        first_event_at=("event_at", "min"),
        last_event_at=("event_at", "max"),
    )
    kinds = {
        "page_views": "page_view",
        "clicks": "click",
        "searches": "search",
        "cart_additions": "add_to_cart",
    }
    for name, kind in {**kinds, "purchases": "purchase", "errors": "error"}.items():
        found[name] = events[events["event_type"] == kind].groupby(list(KEY)).size()
    visits = business.frame("sessions").groupby(list(KEY))
    counted = pd.DataFrame({"sessions": visits.size(), "session_seconds": visits["duration_seconds"].sum()})
    joined = found.join(counted, how="outer").reset_index()
    counts = [c for c in joined.columns if not c.endswith("_at")]
    joined[counts] = joined[counts].fillna(0)
    return joined


def test_clean_tables_have_every_row_once_as_it_landed_first(business: Built, events: Frame) -> None:
    columns = ["event_id", "event_date", "event_at", "user_id", "session_id", "event_type", "platform"]
    columns += ["app_version", "amount", "currency", "landing_hour", "is_on_time"]
    same(business.tables["staging.events_clean"], events[columns], ["event_id"])
    landed = sum(map(len, business.landed["events"].values()))
    assert len(events) < landed, "nothing arrived twice"
    assert not events["is_on_time"].all(), "nothing was late"

    users = business.frame("users").rename(columns={"updated_at": "text"})
    users["updated_at"] = users["event_at"]
    states = users[
        ["user_id", "event_date", "updated_at", "change", "country", "plan", "status", "landing_hour"]
    ]
    same(business.tables["staging.users_clean"], states, ["user_id", "updated_at"])
    assert "email" not in business.tables["staging.users_clean"][0]

    sessions = business.frame("sessions")
    columns = ["session_id", "event_date", "user_id", "duration_seconds", "event_count", "landing_hour"]
    same(business.tables["staging.sessions_clean"], sessions[columns], ["session_id"])


def test_user_metrics(business: Built, metrics: Frame) -> None:
    same(business.tables["intermediate.user_metrics"], metrics, KEY)
    assert (metrics["events"] == 0).any(), "nobody's events are kept back"
    assert metrics["purchases"].sum() > 10


def test_event_metrics(business: Built, events: Frame) -> None:
    found = (
        events.groupby(["event_date", "event_type", "platform"])
        .agg(
            events=("event_id", "size"),
            users=("user_id", "nunique"),
            sessions=("session_id", "nunique"),
            on_time_events=("is_on_time", "sum"),
            amount_usd=("usd", "sum"),
        )
        .reset_index()
    )
    same(business.tables["intermediate.event_metrics"], found, ["event_date", "event_type", "platform"])


def test_features_know_seven_days_and_labels_the_seven_after(business: Built, metrics: Frame) -> None:
    features, training = [], []
    for row in metrics.to_dict("records"):
        day, own = row["event_date"], metrics[metrics["user_id"] == row["user_id"]]
        week = own[(own["event_date"] > day - timedelta(days=7)) & (own["event_date"] <= day)]
        after = own[(own["event_date"] > day) & (own["event_date"] <= day + timedelta(days=7))]
        known = {
            "event_date": day,
            "user_id": row["user_id"],
            "active_days_7d": len(week),
            "events_7d": week["events"].sum(),
            "purchases_7d": week["purchases"].sum(),
            "revenue_usd_7d": week["revenue_usd"].sum(),
            "sessions_7d": week["sessions"].sum(),
            "session_seconds_7d": week["session_seconds"].sum(),
            "errors_7d": week["errors"].sum(),
        }
        features.append({**known, "days_since_first_active_7d": (day - week["event_date"].min()).days})
        bought, earned = after["purchases"].sum() > 0, after["revenue_usd"].sum()
        training.append({**known, "label_purchased_7d": bool(bought), "label_revenue_usd_7d": earned})
    same(business.tables["intermediate.ml_features"], pd.DataFrame(features), KEY)
    same(business.tables["gold.ml_training"], pd.DataFrame(training), KEY)
    assert any(row["label_purchased_7d"] for row in training)


def test_user_analytics(business: Built, metrics: Frame) -> None:
    newest = business.frame("users").sort_values("event_at").groupby("user_id").last()
    last = metrics["event_date"].max()
    rows = []
    for user, days in metrics.groupby("user_id"):
        state = newest.loc[user] if user in newest.index else None
        seen = days["event_date"].max()
        rows.append(
            {
                "user_id": user,
                "as_of_date": last,
                "plan": None if state is None else state["plan"],
                "country": None if state is None else state["country"],
                "status": None if state is None else state["status"],
                "first_active_date": days["event_date"].min(),
                "last_active_date": seen,
                "active_days": len(days),
                "events": days["events"].sum(),
                "sessions": days["sessions"].sum(),
                "purchases": days["purchases"].sum(),
                "revenue_usd": days["revenue_usd"].sum(),
                "lifecycle": "active" if (last - seen).days < 7 else "cooling",
            }
        )
    same(business.tables["gold.user_analytics"], pd.DataFrame(rows), ["user_id"])


def test_business_metrics(business: Built, metrics: Frame, events: Frame) -> None:
    users = business.frame("users")
    rows = []
    for day, own in metrics.groupby("event_date"):
        week = metrics[(metrics["event_date"] > day - timedelta(days=7)) & (metrics["event_date"] <= day)]
        new = users[(users["event_date"] == day) & (users["change"] == "created")]
        on_time = events.loc[events["event_date"] == day, "is_on_time"]
        active = own["user_id"].nunique()
        rows.append(
            {
                "event_date": day,
                "daily_active_users": active,
                "weekly_active_users": week["user_id"].nunique(),
                "new_users": new["user_id"].nunique(),
                "events": own["events"].sum(),
                "sessions": own["sessions"].sum(),
                "purchases": own["purchases"].sum(),
                "buyers": (own["purchases"] > 0).sum(),
                "revenue_usd": own["revenue_usd"].sum(),
                "conversion": (own["purchases"] > 0).sum() / active,
                "error_rate": own["errors"].sum() / own["events"].sum() if own["events"].sum() else None,
                "on_time_share": on_time.mean() if len(on_time) else None,
            }
        )
    same(business.tables["gold.business_metrics"], pd.DataFrame(rows), ["event_date"])


def test_a_gate_stops_the_next_layer(business: Built) -> None:
    """A purchase without its amount stops the curated tables; wrong curated numbers stop the marts."""
    warehouse, hours = business.warehouse, business.landed["events"]
    hour, rows = next(iter(hours.items()))
    purchase: Row = {**rows[0], "event_id": "bad", "event_type": "purchase", "payload": {"currency": "USD"}}
    before = warehouse.checksums("intermediate.user_metrics", "gold.business_metrics")
    dates = publish(warehouse, {"events": {hour: [*rows, purchase]}})
    states = _states(business, dates, "events_clean+")
    assert states["events_clean__purchase_has_amount"] == "fail"
    assert {
        states[name] for name in ("user_metrics", "event_metrics", "ml_features", "business_metrics")
    } == {"skipped"}
    assert warehouse.checksums("intermediate.user_metrics", "gold.business_metrics") == before

    warehouse.client.query_and_wait(
        "UPDATE staging.events_clean SET amount = -amount WHERE event_type = 'purchase' AND event_date >= '1970-01-01'"
    )
    states = _states(business, dates, "user_metrics+")
    assert states["user_metrics__revenue_comes_from_purchases"] == "fail"
    assert {
        states[name] for name in ("ml_features", "business_metrics", "user_analytics", "ml_training")
    } == {"skipped"}


def _states(business: Built, dates: str, selection: str) -> dict[str, str]:
    done: Any = business.warehouse.dbt(dates, "build", "--select", selection)
    assert not done.success
    return {node.node.name: str(node.status) for node in done.result}
