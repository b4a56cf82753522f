"""What refining adds to the rows of sources, and what it hides: by hand, as their YAML says it."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal
from typing import Any

from local.published import Enrich, Row


def _mobile_sdk(row: Row) -> Row:
    worth = row["user_properties"]["ltv"]
    segment = "high_value" if worth > 100 else "medium_value" if worth > 50 else "standard"
    return {"user_segment": segment}


def _orders(row: Row) -> Row:
    return {"item_count": sum(item["quantity"] for item in row["items"])}


def _user_activity(row: Row) -> Row:
    return {name: hashlib.sha256(row[name].encode()).hexdigest() for name in ("ip_address", "user_agent")}


def _clickstream(row: Row) -> Row:
    return {"is_known": row.get("user_id") is not None}


def _transactions(row: Row) -> Row:
    return {"card_last4": "****" if row.get("card_last4") else None}


def _customer_support(row: Row) -> Row:
    return {"message": None, "message_length": len(row.get("message") or "")}


def _customer_profiles(row: Row) -> Row:
    born = row.get("date_of_birth")
    years = (
        (date.fromisoformat(row["exported_at"][:10]) - date.fromisoformat(born)).days / 365.25 if born else 0
    )
    groups = ((25, "under_25"), (40, "25_39"), (60, "40_59"), (200, "60_and_over"))
    group = next(name for limit, name in groups if years < limit) if born else None
    return {"date_of_birth": None, "phone": "****" if row.get("phone") else None, "age_group": group}


def _postgres_orders(row: Row) -> Row:
    lsn = row["source_metadata"]["lsn"]
    high, _, low = (lsn or "0/0").partition("/")
    return {"lsn_position": (int(high, 16) << 32) + int(low, 16) if lsn else None}


def _stripe_payments(row: Row) -> Row:
    minor = Decimal(1 if row["currency"] in ("jpy", "krw", "vnd", "clp") else 100)
    net = Decimal(row["amount_captured"] - row["amount_refunded"]) / minor
    metadata: dict[str, Any] = row["metadata"]
    return {"net_amount": str(net), "order_id": metadata.get("order_id"), "metadata": json.dumps(metadata)}


def _aws_data_lake(row: Row) -> Row:
    promised = row["promised_date"]
    arrived = (row["delivered_at"] or row["updated_at"]).date()
    return {
        "item_count": sum(item["quantity"] for item in row["items"]),
        "is_late": arrived > promised,
        "destination": {**row["destination"], "postal_code": None},
    }


ENRICH: dict[str, Enrich] = {
    "mobile_sdk": _mobile_sdk,
    "orders": _orders,
    "user_activity": _user_activity,
    "clickstream": _clickstream,
    "transactions": _transactions,
    "customer_support": _customer_support,
    "customer_profiles": _customer_profiles,
    "postgres_orders": _postgres_orders,
    "stripe_payments": _stripe_payments,
    "aws_data_lake": _aws_data_lake,
}
