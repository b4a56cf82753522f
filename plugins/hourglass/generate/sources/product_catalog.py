"""The catalog as it is on the partition's day: all products, with that day's prices."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hourglass.generate import pools
from hourglass.generate.draw import Draw
from hourglass.generate.record import iso
from hourglass.partition import Partition

_CHANGED = 0.03  # the share of the prices that differ from the list on a day


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct products, the popular ones first; beyond `pools.PRODUCTS` they are in no other source.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    for index in range(count):
        product = pools.product(index)
        yield {
            "product_id": product.id,
            "sku": product.sku,
            "name": product.name,
            "category": product.category,
            "brand": product.brand,
            "price": price_on(index, partition.start.date()),
            "cost": product.cost,
            "weight_grams": product.weight_grams,
            "tags": [product.category, *product.name.lower().split()[1:]],
            "is_active": product.is_active,
            "released_on": product.released_on.isoformat(),
            "exported_at": iso(draw.moment()),
        }


def price_on(index: int, day: date) -> Decimal:
    """A product's price on a day: the list price, or less during a sale, which lasts a week.

    Args:
        index: The product's.
        day: The day.
    """
    monday = day - timedelta(days=day.weekday())
    own = random.Random(f"sale/{index}/{monday}")
    price = pools.product(index).price
    return (price * Decimal(80) / 100).quantize(pools.CENT) if own.random() < _CHANGED else price
