"""Orders of the shop: every order is pending once; some move on within the partition."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from itertools import chain, islice, repeat
from typing import Any

from hourglass.generate import pools
from hourglass.generate.draw import Draw
from hourglass.generate.record import iso
from hourglass.partition import Partition

STATUSES = ("pending", "processing", "shipped", "delivered")
_LINES = {1: 55, 2: 25, 3: 12, 4: 5, 6: 3}
_QUANTITIES = {1: 72, 2: 17, 3: 6, 4: 3, 5: 2}


def _raise_total(record: dict[str, Any]) -> None:
    record["total_amount"] = float(record["total_amount"]) + 5


BREAK = {"total_is_sum_of_items": _raise_total}


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct status changes of orders.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    return islice(chain.from_iterable(_order(draw) for _ in repeat(None)), count)


def _order(draw: Draw) -> Iterator[dict[str, Any]]:
    number = draw.zipf(pools.USERS, exponent=0.6)
    buyer, placed = pools.person(number), draw.moment()
    items = [_item(draw) for _ in range(draw.weighted(_LINES))]
    order = {
        "event_type": "order",
        "order_id": f"ORD-{draw.uuid()}",
        "customer_id": buyer.id,
        "order_date": iso(placed),
        "items": items,
        "shipping_address": {"street": pools.street(number), "city": buyer.city, "country": buyer.country},
        "total_amount": sum((item["quantity"] * item["price"] for item in items), Decimal(0)),
    }
    for status, processed in _way(draw, placed):
        event = {**order, "status": status}
        # Now and then the backend does not say when it was there.
        yield event if draw.chance(0.03) else {**event, "processed_timestamp": iso(processed)}


def _way(draw: Draw, placed: datetime) -> Iterator[tuple[str, datetime]]:
    moment = draw.after(placed, 2)
    for status in STATUSES:
        yield status, moment
        if not draw.chance(0.35):
            return
        moment = draw.after(moment, 600)


def _item(draw: Draw) -> dict[str, Any]:
    product = pools.popular_product(draw)
    price = product.price
    if draw.chance(0.2):
        price = (price * draw.choice((90, 80, 70)) / 100).quantize(pools.CENT)
    return {
        "product_id": product.id,
        "product_name": product.name,
        "quantity": draw.weighted(_QUANTITIES),
        "price": price,
    }
