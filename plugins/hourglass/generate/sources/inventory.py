"""Stock movements: many small sales, some deliveries, few returns and damages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hourglass.generate import pools
from hourglass.generate.draw import Draw
from hourglass.generate.record import iso
from hourglass.partition import Partition

MOST = 100
_REASONS = {"sale": 78, "restock": 9, "return": 9, "damage": 4}
# How many pieces move: half of the movements are below the first number, and the sign.
_SIZES = {"sale": (1.4, -1), "restock": (40.0, 1), "return": (1.1, 1), "damage": (1.5, -1)}


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct stock movements.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    for _ in range(count):
        reason = draw.weighted(_REASONS)
        median, sign = _SIZES[reason]
        yield {
            "event_type": "inventory",
            "inventory_id": f"INV-{draw.uuid()}",
            "product_id": pools.popular_product(draw).id,
            "warehouse_id": draw.choice(pools.WAREHOUSES),
            "quantity_change": sign * max(1, int(draw.money(median, spread=0.7, high=MOST))),
            "reason": reason,
            "timestamp": iso(draw.moment()),
        }
