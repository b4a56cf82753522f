"""Shipments of the logistics partner: each row is a status that a shipment took."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hourglass.generate import pools
from hourglass.generate.draw import Draw
from hourglass.partition import Partition

_CARRIERS = {"DHL": 34, "UPS": 26, "FedEx": 20, "DPD": 12, "Hermes": 8}
_LEVELS = {"standard": 72, "express": 21, "overnight": 7}
_DAYS = {"standard": 6, "express": 2, "overnight": 1}
_STATUSES = {"created": 24, "picked_up": 20, "in_transit": 30, "delivered": 24, "returned": 2}
_TAGS = ("fragile", "oversize", "battery", "gift", "signature")


def _deliver_without_a_time(record: dict[str, Any]) -> None:
    record["status"] = "delivered"
    record.pop("delivered_at", None)


BREAK = {"delivered_has_a_time": _deliver_without_a_time}


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct statuses of distinct shipments.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    for _ in range(count):
        yield _shipment(draw)


def _shipment(draw: Draw) -> dict[str, Any]:
    person = pools.busy_person(draw)
    updated = draw.moment()
    level, status = draw.weighted(_LEVELS), draw.weighted(_STATUSES)
    items = [
        {"product_id": pools.popular_product(draw).id, "quantity": draw.whole(1, 3)}
        for _ in range(draw.weighted({1: 60, 2: 25, 3: 10, 5: 5}))
    ]
    left = updated.date() - timedelta(days=draw.whole(0, _DAYS[level]))
    return {
        "shipment_id": f"SHP-{draw.hex(12).upper()}",
        "order_id": draw.uuid(),
        "customer_id": person.id,
        "carrier": draw.weighted(_CARRIERS),
        "service_level": level,
        "status": status,
        "weight_kg": draw.money(1.8, low=0.05, high=400),
        "cost": Decimal(str(draw.money(7.5, spread=0.6, low=1, high=900))),
        "currency": "GBP"
        if person.country == "GB"
        else "EUR"
        if person.country in ("DE", "FR", "ES")
        else "USD",
        "warehouse_id": draw.choice(pools.WAREHOUSES),
        "destination": {
            "country": person.country,
            "region": person.region,
            "city": person.city,
            "postal_code": f"{draw.whole(0, 99_999):05d}",
        },
        "items": items,
        "tags": sorted({draw.choice(_TAGS) for _ in range(draw.whole(0, 2))}),
        "promised_date": left + timedelta(days=_DAYS[level]),
        "delivered_at": updated if status in ("delivered", "returned") else None,
        "is_return": status == "returned",
        "updated_at": updated,
    }
