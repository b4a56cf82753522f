"""A day of the configuration-driven platform: a shop's database, its payments, shipments, accounts and sensors.

The database's changes come first; a charge pays for one of its orders, and a shipment carries one. At scale 1 a day
has some 10,000 changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

from hourglass.generate import pools
from hourglass.generate.draw import Draw
from hourglass.generate.platforms.landing import Landed, Landing, draw_of, later, midnight
from hourglass.generate.record import Record, as_moment, iso
from hourglass.generate.sources import (
    aws_data_lake,
    iot_sensors,
    postgres_orders,
    salesforce_exports,
    stripe_payments,
)
from hourglass.partition import Grain, Partition

_CHANGES, _READINGS, _ACCOUNTS = 400, 300, 200  # at scale 1; the first two by hour
_GRAINS = {"salesforce_exports": Grain("0 2 * * *"), "aws_data_lake": Grain("0 */6 * * *")}


def day(when: date, seed: int = 1, scale: float = 1.0) -> Landed:
    """What one day of the platform comes to.

    Args:
        when: The day (UTC).
        seed: The same arguments give the same rows.
        scale: 1 is a day of the full size.

    Returns:
        Rows of `postgres_orders`, `stripe_payments`, `aws_data_lake`, `salesforce_exports` and `iot_sensors` by the
        partition in which they land, some of it hours later.
    """
    draw = draw_of(when, seed, "configured")
    landing = Landing(draw, lateness=timedelta(hours=20), grains=_GRAINS)
    for change in _changes(when, seed, max(round(_CHANGES * scale), 5)):
        at = _time(change["read_timestamp"])
        landing.send("postgres_orders", change, at, {"read_timestamp": iso(at + timedelta(minutes=1))})
        if change["source_metadata"]["table"] == "orders" and not change["source_metadata"]["is_deleted"]:
            _follow(draw, landing, change)
    whole = Partition(midnight(when) + timedelta(hours=2), _GRAINS["salesforce_exports"])
    accounts = Draw(seed, whole, "salesforce_exports")
    for account in salesforce_exports.rows(accounts, whole, max(round(_ACCOUNTS * scale), 5)):
        landing.send("salesforce_exports", account, whole.start)
    for hour in _hours(when):
        own = Draw(seed, hour, "iot_sensors")
        for reading in iot_sensors.rows(own, hour, max(round(_READINGS * scale), 2)):
            landing.send("iot_sensors", reading, hour.start)
    return landing.landed()


def _hours(when: date) -> Iterator[Partition]:
    return (Partition(midnight(when) + timedelta(hours=hour), Grain.HOUR) for hour in range(24))


def _changes(when: date, seed: int, count: int) -> Iterator[Record]:
    """The day's changes of the database; customers who order are in it from the beginning."""
    changes = [
        row
        for hour in _hours(when)
        for row in postgres_orders.rows(Draw(seed, hour, "postgres_orders"), hour, count)
    ]
    buyers = {
        row["payload"]["customer_id"] for row in changes if row["source_metadata"]["change_type"] == "INSERT"
        and row["source_metadata"]["table"] == "orders"
    }  # fmt: skip
    for number, customer in enumerate(sorted(buyers)):
        yield _backfilled(customer, number, midnight(when))
    yield from changes


def _backfilled(customer: str, number: int, began: datetime) -> Record:
    """A row that was there before the stream began: without a place in the log."""
    created = iso(began - timedelta(days=1 + number % 700))
    payload = {
        "customer_id": customer,
        "email": f"buyer{number}@example.com",
        "full_name": f"Buyer {number}",
        "country": ("US", "DE", "IN")[number % 3],
        "segment": ("new", "regular", "vip")[number % 3],
        "created_at": created,
        "updated_at": created,
    }
    return {
        "uuid": Draw.ident(f"backfill/{began.date()}", int(customer[:8], 16)),
        "read_timestamp": iso(began + timedelta(seconds=20)),
        "source_timestamp": iso(began),
        "object": "public_customers",
        "read_method": "postgresql-backfill",
        "stream_name": "projects/123456789/locations/us-central1/streams/shop-postgresql",
        "schema_key": None,
        "sort_keys": [int(began.timestamp() * 1000), ""],
        "source_metadata": {
            "schema": "public",
            "table": "customers",
            "is_deleted": False,
            "change_type": "INSERT",
            "tx_id": None,
            "lsn": None,
            "primary_keys": ["customer_id"],
        },
        "payload": payload,
    }


def _follow(draw: Draw, landing: Landing, change: Record) -> None:
    """What an order's change sets off: a new order is paid, one that the shop works on is shipped."""
    order, at = change["payload"], _time(change["source_timestamp"])
    if order["status"] == "pending" and draw.chance(0.95):
        _charge(draw, landing, order, later(draw, at, 60))
    elif order["status"] == "processing":
        _ship(draw, landing, order, later(draw, at, 3600))


def _charge(draw: Draw, landing: Landing, order: Record, at: datetime) -> None:
    charge = next(stripe_payments.rows(draw, draw.partition, 1))
    cents = int(Decimal(order["total_amount"]) * 100)
    paid, refund = charge["captured"], charge["amount_refunded"] > 0
    charge |= {
        "amount": cents,
        "amount_captured": cents if paid else 0,
        "amount_refunded": cents if paid and refund else 0,
        "refunded": paid and refund,
        "currency": draw.weighted({"usd": 85, "eur": 15}),
        "created": int(at.timestamp()),
        "metadata": {"order_id": order["order_id"]},
    }
    landing.send("stripe_payments", charge, at, {"description": "sent again"})


def _ship(draw: Draw, landing: Landing, order: Record, at: datetime) -> None:
    """A shipment's statuses, in the files that are written every six hours."""
    shipment = next(aws_data_lake.rows(draw, draw.partition, 1))
    shipment |= {
        "order_id": order["order_id"],
        "customer_id": order["customer_id"],
        "items": [{"product_id": pools.popular_product(draw).id, "quantity": draw.whole(1, 3)}],
        "promised_date": at.date() + timedelta(days=draw.whole(0, 2)),
    }
    for status in ("created", "in_transit", draw.weighted({"delivered": 90, "returned": 10})):
        there = status in ("delivered", "returned")
        row = {**shipment, "status": status, "updated_at": at, "delivered_at": at if there else None}
        row["is_return"] = status == "returned"
        landing.send("aws_data_lake", row, at, {"carrier": "DPD"})
        if draw.chance(0.15):
            return
        at = later(draw, at, 16 * 3600)


def _time(value: str) -> datetime:
    moment = as_moment(value)
    assert moment is not None  # noqa: S101 (the database's changes have their times)
    return moment
