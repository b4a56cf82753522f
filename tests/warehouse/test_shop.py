"""The shop's marts, against pandas over the rows that were generated."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from tests.warehouse.platforms import Built, Frame, same

pytestmark = pytest.mark.cloud
_STEPS = ["pending", "processing", "shipped", "delivered"]


@pytest.fixture(scope="module")
def orders(business: Built) -> Frame:
    """Every order as it stands, from all statuses that it took."""
    rows: list[dict[str, Any]] = []
    for order, statuses in business.frame("orders").groupby("order_id"):
        taken = {s["status"]: s for s in statuses.to_dict("records")}
        last = taken[max(taken, key=_STEPS.index)]
        done = {s: pd.to_datetime(r.get("processed_timestamp")) for s, r in taken.items()}
        rows.append(
            {
                "order_id": order,
                "event_date": last["event_date"],
                "ordered_at": last["event_at"],
                "customer_id": last["customer_id"],
                "status": last["status"],
                "pieces": sum(item["quantity"] for item in last["items"]),
                "total_amount": float(last["total_amount"]),
                "shipping_country": last["shipping_address"]["country"],
                "processing_at": done.get("processing"),
                "shipped_at": done.get("shipped"),
                "delivered_at": done.get("delivered"),
                "status_events": len(taken),
                "first_landing_hour": statuses["landing_hour"].min(),
            }
        )
    return pd.DataFrame(rows)


def test_orders(business: Built, orders: Frame) -> None:
    same(business.tables["gold.fct_orders"], orders, ["order_id"])
    assert {"pending", "delivered"} <= set(orders["status"])
    by_id = business.frame("orders").drop_duplicates("order_id").set_index("order_id")["items"]
    for row in business.tables["gold.fct_orders"]:
        wanted = [(i["product_id"], i["quantity"], float(i["price"])) for i in by_id[row["order_id"]]]
        assert [(i["product_id"], i["quantity"], float(i["price"])) for i in row["items"]] == wanted


def test_order_items(business: Built, orders: Frame) -> None:
    one_each = business.frame("orders").drop_duplicates("order_id").set_index("order_id")["items"]
    status = orders.set_index("order_id")["status"]
    lines = pd.DataFrame(
        {
            "order_id": order,
            "line_number": number,
            "product_id": item["product_id"],
            "quantity": item["quantity"],
            "amount": float(item["price"] * item["quantity"]),
            "status": status[order],
        }
        for order, items in one_each.items()
        for number, item in enumerate(items, start=1)
    )
    same(business.tables["gold.fct_order_items"], lines, ["order_id", "line_number"])
    assert lines["amount"].sum() == pytest.approx(orders["total_amount"].sum())


def test_lifetime_value_of_ninety_days(business: Built, orders: Frame) -> None:
    newest = orders["event_date"].max()
    recent = orders[orders["event_date"] > newest - timedelta(days=90)]
    found = (
        recent.groupby("customer_id")
        .agg(
            orders_90d=("order_id", "size"),
            lifetime_value_90d=("total_amount", "sum"),
            first_order_at=("ordered_at", "min"),
            last_order_at=("ordered_at", "max"),
            last=("event_date", "max"),
        )
        .reset_index()
    )
    found["days_since_last_order"] = [(newest - day).days for day in found.pop("last")]
    found["as_of_date"] = newest
    found = found.sort_values(["lifetime_value_90d", "customer_id"], ascending=[False, True]).reset_index(
        drop=True
    )
    found["value_decile"] = tenths(len(found), 10)
    same(business.tables["gold.customer_lifetime_value"], found, ["customer_id"])


def tenths(count: int, parts: int) -> list[int]:
    """The part of each of `count` ordered things when they are dealt out in equal parts, larger ones first."""
    small, larger = divmod(count, parts)
    return [part + 1 for part in range(parts) for _ in range(small + (part < larger))]


def test_stock(business: Built) -> None:
    moves = business.frame("inventory")
    for name, reason, sign in (("restocked", "restock", 1), ("sold", "sale", -1), ("returned", "return", 1)):
        moves[name] = (moves["quantity_change"] * sign).where(moves["reason"] == reason, 0)
    place = ["product_id", "warehouse_id"]
    sums = {"restocked": ("restocked", "sum"), "sold": ("sold", "sum"), "returned": ("returned", "sum")}
    days = moves.groupby(["event_date", *place]).agg(
        movements=("inventory_id", "size"), net_change=("quantity_change", "sum"), **sums
    )
    same(business.tables["gold.fct_inventory_levels"], days.reset_index(), ["event_date", *place])

    newest = moves["event_date"].max()
    week = moves[moves["event_date"] > newest - timedelta(days=7)]
    left = week.groupby(place).agg(
        stock_change_7d=("quantity_change", "sum"),
        sold_7d=("sold", "sum"),
        restocked_7d=("restocked", "sum"),
        last_movement_date=("event_date", "max"),
    )
    low = left[left["stock_change_7d"] < 10].reset_index()
    same(business.tables["gold.inventory_low_stock"], low, place)
    assert 0 < len(low) < len(left)


def test_activity_is_hashed_and_counts_as_it_landed_first(business: Built) -> None:
    activity = business.frame("user_activity")
    activity["session_id"] = [m["session_id"] for m in activity["metadata"]]
    activity["platform"] = [m["platform"] for m in activity["metadata"]]
    for name in ("ip_address", "user_agent"):
        activity[f"{name}_hash"] = [hashlib.sha256(v.encode()).hexdigest() for v in activity[name]]
    activity["activity_at"] = activity["event_at"]
    columns = ["activity_at", "event_date", "user_id", "activity_type", "session_id", "platform"]
    columns += ["ip_address_hash", "user_agent_hash", "landing_hour"]
    key = ["user_id", "activity_type", "activity_at", "session_id"]
    same(business.tables["gold.fct_user_activity"], activity[columns], key)

    rows = []
    for (day, platform), own in activity.groupby(["event_date", "platform"]):
        visits = {session: list(v["activity_type"]) for session, v in own.groupby("session_id")}
        viewed = {s for s, v in visits.items() if "view_product" in v or "add_to_cart" in v}
        added = {s for s, v in visits.items() if "add_to_cart" in v}
        kept = {s for s in added if visits[s].count("add_to_cart") > visits[s].count("remove_from_cart")}
        who = dict(zip(own["session_id"], own["user_id"], strict=True))
        rows.append(
            {
                "event_date": day,
                "platform": platform,
                "sessions": len(visits),
                "viewed_sessions": len(viewed),
                "added_sessions": len(added),
                "kept_sessions": len(kept),
                "logged_out_sessions": sum("logout" in v for v in visits.values()),
                "users": own["user_id"].nunique(),
                "viewed_users": len({who[s] for s in viewed}),
                "added_users": len({who[s] for s in added}),
                "kept_users": len({who[s] for s in kept}),
                "view_rate": len(viewed) / len(visits),
                "addition_rate": len(added) / len(viewed) if viewed else None,
            }
        )
    same(business.tables["gold.fct_activity_funnel"], pd.DataFrame(rows), ["event_date", "platform"])
