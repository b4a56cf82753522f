"""The configured platform's marts, against pandas over the rows that were generated."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from hourglass.generate import pools
from tests.warehouse.platforms import Built, Frame, same

pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def database(business: Built) -> dict[str, dict[Any, dict[str, Any]]]:
    """What the shop's database holds in the end: its changes, played again in the log's order."""
    frame = business.frame("postgres_orders")
    changes = frame.to_dict("records")

    def place(change: dict[str, Any]) -> tuple[Any, int]:
        high, _, low = (change["source_metadata"]["lsn"] or "0/0").partition("/")
        return change["event_at"], (int(high, 16) << 32) + int(low, 16)

    tables: dict[str, dict[Any, dict[str, Any]]] = defaultdict(dict)
    keys = {"orders": ["order_id"], "order_items": ["order_id", "line_number"], "customers": ["customer_id"]}
    for change in sorted(changes, key=place):
        name, row = change["source_metadata"]["table"], change["payload"]
        key = tuple(row[column] for column in keys[name])
        if change["source_metadata"]["is_deleted"]:
            tables[name].pop(key, None)
        else:
            tables[name][key] = row
    return tables


@pytest.fixture(scope="module")
def shipments(business: Built) -> Frame:
    """Shipments at their newest status."""
    rows = business.frame("aws_data_lake").sort_values("event_at").groupby("shipment_id").last().reset_index()
    arrived = rows["delivered_at"].where(rows["delivered_at"].notna(), rows["updated_at"])
    rows["late"] = [pd.Timestamp(a).date() > p for a, p in zip(arrived, rows["promised_date"], strict=True)]
    return rows


def test_customer_360(business: Built, database: dict[str, Any], shipments: Frame) -> None:
    orders = pd.DataFrame(database["orders"].values())
    buyer = dict(zip(orders["order_id"], orders["customer_id"], strict=True))
    paid: defaultdict[str, Decimal] = defaultdict(Decimal)
    charges: defaultdict[tuple[str, str], int] = defaultdict(int)
    for charge in business.frame("stripe_payments").to_dict("records"):
        customer = buyer.get(charge["metadata"]["order_id"])
        if customer is None:
            continue
        charges[customer, charge["status"]] += 1
        if charge["currency"] == "usd":
            paid[customer] += Decimal(charge["amount_captured"] - charge["amount_refunded"]) / 100
    rows = []
    for customer in database["customers"].values():
        name = customer["customer_id"]
        own, sent = orders[orders["customer_id"] == name], shipments[shipments["customer_id"] == name]
        rows.append(
            {
                "customer_id": name,
                "country": customer["country"],
                "segment": customer["segment"],
                "orders": len(own),
                "delivered_orders": (own["status"] == "delivered").sum(),
                "ordered_amount": own["total_amount"].astype(float).sum(),
                "first_order_at": pd.to_datetime(own["ordered_at"]).min() if len(own) else None,
                "charges": charges[name, "succeeded"],
                "failed_charges": charges[name, "failed"],
                "paid_usd": float(paid[name]),
                "shipments": len(sent),
                "late_shipments": sent["late"].sum(),
                "returned_shipments": (sent["status"] == "returned").sum(),
            }
        )
    wanted = pd.DataFrame(rows)
    same(business.tables["gold.customer_360"], wanted, ["customer_id"])
    for column in ("orders", "charges", "shipments", "late_shipments"):
        assert wanted[column].sum() > 5, column


def test_product_analytics(business: Built, database: dict[str, Any], shipments: Frame) -> None:
    orders = {order["order_id"]: order for order in database["orders"].values()}
    items = pd.DataFrame([i for i in database["order_items"].values() if i["order_id"] in orders])
    items["customer"] = [orders[order]["customer_id"] for order in items["order_id"]]
    items["amount"] = items["quantity"] * items["unit_price"].astype(float)
    sold = items.groupby("product_id").agg(
        orders=("order_id", "nunique"),
        customers=("customer", "nunique"),
        pieces=("quantity", "sum"),
        revenue=("amount", "sum"),
    )
    shipped: defaultdict[str, int] = defaultdict(int)
    returned: defaultdict[str, int] = defaultdict(int)
    for status, contents in zip(shipments["status"], shipments["items"], strict=True):
        for item in contents:
            shipped[item["product_id"]] += item["quantity"]
            returned[item["product_id"]] += item["quantity"] if status == "returned" else 0
    rows = []
    for product in map(pools.product, range(pools.PRODUCTS)):
        found: Any = (
            sold.loc[product.id].to_dict() if product.id in sold.index else dict.fromkeys(sold.columns, 0)
        )
        sent = {"shipped_pieces": shipped[product.id], "returned_pieces": returned[product.id]}
        row: dict[str, Any] = {"product_id": product.id, "category": product.category, **found, **sent}
        rows.append(row)
    same(business.tables["gold.product_analytics"], pd.DataFrame(rows), ["product_id"])
    assert sum(returned.values()) > 0


def test_gold_that_is_compiled_from_configuration(business: Built) -> None:
    """transactions.yaml joins the catalog and groups by customer, category and day; orders.yaml by customer and day."""
    payments = business.frame("transactions")
    categories = {p.id: p.category for p in map(pools.product, range(pools.PRODUCTS))}
    payments = payments.assign(
        category=payments["product_id"].map(categories),
        amount=payments["amount"].astype(float),
        date=payments["event_date"],
    )
    key = ["customer_id", "category", "date"]
    wanted = payments.groupby(key).agg(
        total_amount=("amount", "sum"),
        pieces=("quantity", "sum"),
        transaction_count=("transaction_id", "size"),
        refunds=("status", lambda found: (found == "refunded").sum()),
        last_transaction_at=("event_at", "max"),
    )
    same(business.tables["gold.gold_transactions"], wanted.reset_index(), key)

    orders = business.frame("orders")
    placed = orders["status"] == "pending"
    orders["pieces"] = [sum(i["quantity"] for i in items) for items in orders["items"]]
    orders = orders.assign(
        date=orders["event_date"],
        placed=placed,
        delivered=orders["status"] == "delivered",
        pieces=orders["pieces"].where(placed, 0),
        amount=orders["total_amount"].astype(float).where(placed, 0.0),
    )
    found = orders.groupby(["customer_id", "date"]).agg(
        orders=("placed", "sum"),
        deliveries=("delivered", "sum"),
        pieces=("pieces", "sum"),
        total_amount=("amount", "sum"),
    )
    same(business.tables["gold.gold_orders"], found.reset_index(), ["customer_id", "date"])
