"""The lambda platform's marts, against pandas over the rows that were generated."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pandas as pd
import pytest

from hourglass.generate import pools
from tests.warehouse.platforms import Built, Frame, same

pytestmark = pytest.mark.cloud
_STEPS = ["product_view", "add_to_cart", "begin_checkout", "purchase"]
_CATEGORIES = {p.id: p.category for p in map(pools.product, range(pools.PRODUCTS))}


@pytest.fixture(scope="module")
def clicks(business: Built) -> Frame:
    return business.frame("clickstream")


@pytest.fixture(scope="module")
def payments(business: Built) -> Frame:
    frame = business.frame("transactions")
    frame["amount"] = frame["amount"].astype(float)
    frame["category"] = frame["product_id"].map(_CATEGORIES)
    return frame


@pytest.fixture(scope="module")
def purchases(payments: Frame) -> Frame:
    """Recency, frequency and monetary value of everybody who bought, with their fifths."""
    done = payments[payments["status"] == "completed"]
    last = done["event_date"].max()
    rows: list[dict[str, Any]] = []
    for user, own in done.groupby("customer_id"):
        pieces = own.groupby("category")["quantity"].sum()
        rows.append(
            {
                "user_id": user,
                "as_of_date": last,
                "first_purchase_at": own["event_at"].min(),
                "last_purchase_at": own["event_at"].max(),
                "recency_days": (last - own["event_date"].max()).days,
                "frequency": len(own),
                "monetary": own["amount"].sum(),
                "pieces": own["quantity"].sum(),
                "favourite_category": min(pieces[pieces == pieces.max()].index),
            }
        )
    frame = pd.DataFrame(rows)
    for score, by in (
        ("recency_score", "last_purchase_at"),
        ("frequency_score", "frequency"),
        ("monetary_score", "monetary"),
    ):
        frame = frame.sort_values([by, "user_id"]).reset_index(drop=True)
        small, larger = divmod(len(frame), 5)
        frame[score] = [part + 1 for part in range(5) for _ in range(small + (part < larger))]
    frame["rfm"] = [
        f"{r}{f}{m}"
        for r, f, m in zip(
            frame["recency_score"], frame["frequency_score"], frame["monetary_score"], strict=True
        )
    ]
    return frame


def test_events_of_both_sources(business: Built, clicks: Frame, payments: Frame) -> None:
    names = {"event_name": "event_type", "device_type": "channel"}
    columns = ["event_id", "event_type", "event_date", "event_at", "user_id", "session_id", "product_id"]
    columns += ["product_category", "channel", "country", "campaign", "landing_hour"]
    clicked = clicks.rename(columns=names)[columns].assign(event_source="clickstream", amount=None)
    paid = pd.DataFrame(
        {
            "event_source": "transactions",
            "event_id": payments["transaction_id"],
            "event_type": "transaction",
            "event_date": payments["event_date"],
            "event_at": payments["event_at"],
            "user_id": payments["customer_id"],
            "product_category": payments["category"],
            "channel": payments["channel"],
            "amount": payments["amount"],
            "landing_hour": payments["landing_hour"],
        }
    )
    rows = business.tables["gold.fct_events"]
    same([r for r in rows if r["event_source"] == "clickstream"], clicked, ["event_id"])
    same([r for r in rows if r["event_source"] == "transactions"], paid, ["event_id"])
    waited = clicks["landing_hour"] - clicks["event_at"]
    assert waited.max() > pd.Timedelta(days=3), "nothing came days late"
    assert "store" not in {r["channel"] for r in rows}, "a repeated payment replaced the first"


def test_daily_summary(business: Built, clicks: Frame, payments: Frame) -> None:
    rows = []
    for day in sorted({*clicks["event_date"], *payments["event_date"]}):
        seen, paid = clicks[clicks["event_date"] == day], payments[payments["event_date"] == day]
        steps, states = Counter(seen["event_name"]), Counter(paid["status"])
        revenue = paid.loc[paid["status"] == "completed", "amount"].sum()
        bought = seen.loc[seen["event_name"] == "purchase", "session_id"].nunique()
        rows.append(
            {
                "event_date": day,
                "events": len(seen) + len(paid),
                "page_views": steps["page_view"],
                "product_views": steps["product_view"],
                "cart_additions": steps["add_to_cart"],
                "checkouts": steps["begin_checkout"],
                "purchases": steps["purchase"],
                "sessions": seen["session_id"].nunique(),
                "visitors": seen["anonymous_id"].nunique(),
                "known_visitors": seen["user_id"].nunique(),
                "transactions": len(paid),
                "completed_transactions": states["completed"],
                "refunded_transactions": states["refunded"],
                "failed_transactions": states["failed"],
                "buyers": paid.loc[paid["status"] == "completed", "customer_id"].nunique(),
                "revenue": revenue,
                "refunded_amount": paid.loc[paid["status"] == "refunded", "amount"].sum(),
                "session_conversion": bought / seen["session_id"].nunique() if len(seen) else None,
            }
        )
    same(business.tables["gold.fct_daily_summary"], pd.DataFrame(rows), ["event_date"])


def test_recency_frequency_and_monetary_value(business: Built, purchases: Frame) -> None:
    same(business.tables["gold.fct_user_purchases"], purchases, ["user_id"])
    assert (purchases["frequency"] > 1).any()


@pytest.fixture(scope="module")
def browsing(clicks: Frame) -> Frame:
    """What every visitor did on every day; a visit is the user's as soon as they log in during it."""
    rows: list[dict[str, Any]] = []
    visits = []
    for (day, session), own in clicks.groupby(["event_date", "session_id"]):
        known = own["user_id"].dropna()
        visitor = known.iloc[0] if len(known) else own["anonymous_id"].iloc[0]
        visits.append({"day": day, "visitor": visitor, "known": len(known) > 0, "session": session})
    for (day, visitor), own in pd.DataFrame(visits).groupby(["day", "visitor"]):
        done = clicks[(clicks["event_date"] == day) & clicks["session_id"].isin(own["session"])]
        # Whole seconds, counted by the clock of the warehouse: from truncated milliseconds.
        lasted = [int((v.max() - v.min()).total_seconds()) for _, v in done.groupby("session_id")["event_at"]]
        steps = Counter(done["event_name"])
        rows.append(
            {
                "event_date": day,
                "visitor_id": visitor,
                "is_known": own["known"].iloc[0],
                "sessions": len(own),
                "browsing_seconds": sum(lasted),
                "page_views": steps["page_view"],
                "product_views": steps["product_view"],
                "products": done["product_id"].nunique(),
                "categories": done["product_category"].nunique(),
                "cart_additions": steps["add_to_cart"],
                "purchases": steps["purchase"],
                "devices": done["device_type"].nunique(),
                "first_event_at": done["event_at"].min(),
                "last_event_at": done["event_at"].max(),
            }
        )
    return pd.DataFrame(rows)


def test_browsing(business: Built, browsing: Frame) -> None:
    same(business.tables["gold.fct_user_browsing"], browsing, ["event_date", "visitor_id"])
    assert set(browsing["is_known"]) == {True, False}


def test_journeys_over_midnight_and_the_funnel_by_category(business: Built, clicks: Frame) -> None:
    rows: list[dict[str, Any]] = []
    seen = clicks[clicks["product_category"].notna()]
    for (session, category), own in seen.groupby(["session_id", "product_category"]):
        furthest = max(_STEPS.index(name) for name in own["event_name"]) + 1
        bought = own.loc[own["event_name"] == "purchase", "event_at"]
        known = own["user_id"].dropna()
        rows.append(
            {
                "session_id": session,
                "product_category": category,
                "event_date": own["event_at"].min().date(),
                "user_id": known.iloc[0] if len(known) else None,
                "started_at": own["event_at"].min(),
                "ended_at": own["event_at"].max(),
                "purchased_at": bought.min() if len(bought) else None,
                "steps": len(own),
                "furthest_step": furthest,
                "reached_cart": furthest >= 2,
                "reached_checkout": furthest >= 3,
                "reached_purchase": furthest == 4,
            }
        )
    journeys = pd.DataFrame(rows)
    same(business.tables["gold.fct_user_journey"], journeys, ["session_id", "product_category"])
    over_midnight = [r for r in rows if r["ended_at"].date() > r["event_date"]]
    assert any(r["reached_purchase"] for r in over_midnight), "no journey runs over midnight"

    place = ["event_date", "product_category"]
    funnel = journeys.groupby(place).agg(
        viewed=("session_id", "size"),
        added=("reached_cart", "sum"),
        checked_out=("reached_checkout", "sum"),
        purchased=("reached_purchase", "sum"),
    )
    funnel["conversion"] = funnel["purchased"] / funnel["viewed"]
    same(business.tables["gold.daily_category_funnel"], funnel.reset_index(), place)


def test_customers_and_what_they_were(business: Built) -> None:
    tracked = ["segment", "marketing_opt_in", "preferred_channel", "city", "country", "lifetime_value"]
    states: dict[str, dict[pd.Timestamp, dict[str, Any]]] = {}
    for _, rows in business.landed["customer_profiles"].items():
        for row in rows:
            state = {**row, "city": row["address"]["city"], "country": row["address"]["country"]}
            states.setdefault(row["customer_id"], {}).setdefault(pd.Timestamp(row["updated_at"]), state)
    versions: list[dict[str, Any]] = []
    for customer, found in states.items():
        own: list[dict[str, Any]] = []
        for moment in sorted(found):
            values = {name: found[moment][name] for name in tracked}
            if not own or any(own[-1][name] != values[name] for name in tracked):
                if own:
                    own[-1].update(valid_to=moment, is_current=False)
                place = {"customer_id": customer, "version": len(own) + 1}
                own.append({**place, "valid_from": moment, "valid_to": None, "is_current": True, **values})
        versions += own
    wanted = pd.DataFrame(versions).rename(columns={"city": "address_city", "country": "address_country"})
    same(business.tables["gold.dim_customers_scd2"], wanted, ["customer_id", "version"])


def test_segments(business: Built, purchases: Frame, browsing: Frame) -> None:
    profiles = {r["customer_id"] for rows in business.landed["customer_profiles"].values() for r in rows}
    known = browsing[browsing["is_known"]].groupby("visitor_id")
    views, sessions = known["product_views"].sum(), known["sessions"].sum()
    bought = purchases.set_index("user_id")
    rows = []
    for user in profiles | set(views.index) | set(bought.index):
        buyer = bought.loc[user] if user in bought.index else None
        rows.append(
            {
                "user_id": user,
                "segment": _segment(buyer, user in views.index),
                "is_big_spender": buyer is not None and bool(buyer["monetary_score"] == 5),
                "purchases": 0 if buyer is None else buyer["frequency"],
                "product_views": views.get(user, 0),
                "browsing_sessions": sessions.get(user, 0),
            }
        )
    same(business.tables["gold.dim_user_segments"], pd.DataFrame(rows), ["user_id"])
    assert {"silent", "browser", "champion"} <= {r["segment"] for r in rows}


def _segment(buyer: Any, browses: bool) -> str:
    if buyer is None:
        return "browser" if browses else "silent"
    recent, frequent = buyer["recency_score"], buyer["frequency_score"]
    if frequent >= 4:
        return "champion" if recent >= 4 else "at_risk" if recent <= 2 else "loyal"
    return "recent" if recent >= 4 else "lost" if recent == 1 else "occasional"


def test_support(business: Built) -> None:
    tickets = business.frame("customer_support").drop(columns=["message", "subject"])
    tickets["resolved_at"] = pd.to_datetime(tickets["resolved_at"], utc=True)
    columns = [
        "ticket_id",
        "event_date",
        "customer_id",
        "channel",
        "category",
        "priority",
        "status",
        "resolved_at",
    ]
    same(business.tables["gold.fct_support_tickets"], tickets[columns], ["ticket_id"])
    assert not {"message", "subject"} & business.tables["gold.fct_support_tickets"][0].keys()

    rows = []
    for (day, category), own in tickets.groupby(["event_date", "category"]):
        took = (own["resolved_at"] - own["event_at"]).dropna()
        solved = own["status"].isin(["solved", "closed"])
        grades, waits = own["satisfaction_score"].dropna(), own["first_response_minutes"].dropna()
        rows.append(
            {
                "event_date": day,
                "category": category,
                "tickets": len(own),
                "customers": own["customer_id"].nunique(),
                "urgent_tickets": (own["priority"] == "urgent").sum(),
                "solved_tickets": solved.sum(),
                "solved_within_a_day": sum(int(t.total_seconds() // 60) <= 24 * 60 for t in took),
                "solved_share": solved.mean(),
                "mean_first_response_minutes": waits.mean() if len(waits) else None,
                "mean_satisfaction_score": grades.mean() if len(grades) else None,
            }
        )
    same(business.tables["gold.daily_support_summary"], pd.DataFrame(rows), ["event_date", "category"])


def test_quarantine_counts_are_those_of_the_newest_ledger_rows(business: Built) -> None:
    day = {"landing_date": date(2026, 1, 5)}
    wanted = [
        {
            "source_id": "clickstream",
            **day,
            "partitions": 2,
            "published_partitions": 2,
            "failed_partitions": 0,
        }
        | {"lines": 150, "silver": 139, "quarantined": 8, "duplicates": 3, "replayed": 2, "discarded": 1}
        | {"quarantined_share": 8 / 150},
        {"source_id": "orders", **day, "partitions": 1, "published_partitions": 0, "failed_partitions": 1}
        | {"lines": 20, "silver": 15, "quarantined": 5, "duplicates": 0, "replayed": 0, "discarded": 0}
        | {"quarantined_share": 0.25},
    ]
    same(business.tables["gold.daily_quarantine"], pd.DataFrame(wanted), ["source_id"])
