"""Payments: popular products, mostly one piece, sometimes with a discount."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from hourglass.generate import pools
from hourglass.generate.draw import Draw
from hourglass.generate.record import iso
from hourglass.partition import Partition

_METHODS = {"card": 61, "wallet": 27, "bank_transfer": 8, "gift_card": 4}
_STATUSES = {"completed": 94, "refunded": 3, "failed": 3}
_CHANNELS = {"web": 48, "app": 40, "store": 12}
_QUANTITIES = {1: 74, 2: 16, 3: 6, 5: 3, 10: 1}


def _raise_amount(record: dict[str, Any]) -> None:
    record["amount"] = float(record["amount"]) + 5


BREAK = {"amount_adds_up": _raise_amount}


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct payments.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    for _ in range(count):
        product, quantity = pools.popular_product(draw), draw.weighted(_QUANTITIES)
        method = draw.weighted(_METHODS)
        whole = product.price * quantity
        share = draw.choice((5, 10, 20)) if draw.chance(0.25) else 0
        discount = (whole * Decimal(share) / 100).quantize(pools.CENT)
        payment = {
            "transaction_id": f"TX-{draw.uuid()}",
            "transaction_timestamp": iso(draw.moment()),
            "customer_id": pools.busy_person(draw).id,
            "product_id": product.id,
            "quantity": quantity,
            "unit_price": product.price,
            "discount": discount,
            "amount": whole - discount,
            "payment_method": method,
            "status": draw.weighted(_STATUSES),
            "channel": draw.weighted(_CHANNELS),
        }
        yield {**payment, "card_last4": f"{draw.whole(0, 9999):04d}"} if method == "card" else payment
