"""A day of the shop: visits end in orders, orders take pieces out of the stock and move on for two days.

At scale 1 a day has some 20,000 activities, 1,500 orders and what they do to the stock.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from hourglass.generate import pools
from hourglass.generate.draw import Draw
from hourglass.generate.platforms.landing import Landed, Landing, draw_of, later, midnight, moment_in
from hourglass.generate.record import Record, iso

_VISITS = 4_000  # at scale 1
_PLATFORMS = {"mobile": 55, "web": 38, "tablet": 7}
# How long an order takes to each status, in hours, and the share that gets there.
_WAY = (("processing", 1, 0.95), ("shipped", 14, 0.9), ("delivered", 30, 0.85))


def day(when: date, seed: int = 1, scale: float = 1.0) -> Landed:
    """What the visits of one day come to.

    Args:
        when: The day on which the visits begin (UTC).
        seed: The same arguments give the same rows.
        scale: 1 is a day of the full size.

    Returns:
        Rows of `user_activity`, `orders` and `inventory` by the hour in which they land, some of it days later.
    """
    draw = draw_of(when, seed, "shop")
    landing = Landing(draw, lateness=timedelta(hours=20))
    visits = max(round(_VISITS * scale), 10)
    for number in range(visits):
        start = midnight(when) + timedelta(hours=23, minutes=58) if number == 0 else moment_in(draw, when)
        _visit(draw, landing, draw.zipf(pools.USERS, exponent=0.6), start, keen=number == 0)
    for _ in range(max(visits // 20, 3)):
        _move(
            draw,
            landing,
            pools.popular_product(draw).id,
            draw.whole(10, 60),
            "restock",
            moment_in(draw, when),
        )
    return landing.landed()


def _visit(draw: Draw, landing: Landing, buyer: int, at: datetime, *, keen: bool) -> None:
    """From login to logout, with the cart that is left in the end."""
    platform = draw.weighted(_PLATFORMS)
    visit = {
        "event_type": "user_activity",
        "user_id": pools.person(buyer).id,
        "ip_address": draw.ip(),
        "user_agent": draw.user_agent(),
        "metadata": {"session_id": draw.uuid(), "platform": platform},
    }

    def act(kind: str, moment: datetime) -> None:
        landing.send(
            "user_activity",
            {**visit, "activity_type": kind, "timestamp": iso(moment)},
            moment,
            {"ip_address": "192.0.2.1"},
        )

    act("login", at)
    cart: list[pools.Product] = []
    for _ in range(12 if keen else int(draw.random.expovariate(1 / 3))):
        at = later(draw, at, 40)
        act("view_product", at)
        if keen or draw.chance(0.25):
            at = later(draw, at, 15)
            act("add_to_cart", at)
            cart.append(pools.popular_product(draw))
            if draw.chance(0.2):
                at = later(draw, at, 15)
                act("remove_from_cart", at)
                cart.pop()
    if cart and (keen or draw.chance(0.6)):
        at = later(draw, at, 60)
        _order(draw, landing, buyer, cart, at)
    if draw.chance(0.4):
        act("logout", later(draw, at, 20))


def _order(draw: Draw, landing: Landing, buyer: int, cart: list[pools.Product], placed: datetime) -> None:
    person = pools.person(buyer)
    items: list[Record] = [
        {
            "product_id": product.id,
            "product_name": product.name,
            "quantity": draw.weighted({1: 75, 2: 18, 3: 7}),
            "price": product.price,
        }
        for product in cart
    ]
    order = {
        "event_type": "order",
        "order_id": f"ORD-{draw.uuid()}",
        "customer_id": person.id,
        "order_date": iso(placed),
        "items": items,
        "shipping_address": {"street": pools.street(buyer), "city": person.city, "country": person.country},
        "total_amount": sum((item["quantity"] * item["price"] for item in items), Decimal(0)),
    }
    _status(draw, landing, order, "pending", placed)
    for product, item in zip(cart, items, strict=True):
        _move(draw, landing, product.id, -item["quantity"], "sale", later(draw, placed, 60))
        if draw.chance(0.04):
            _move(draw, landing, product.id, 1, "return", placed + timedelta(hours=draw.whole(30, 60)))
    at = placed
    for status, hours, share in _WAY:
        if not draw.chance(share):
            return
        at = later(draw, at + timedelta(hours=hours / 2), hours * 1800)
        _status(draw, landing, order, status, at)


def _status(draw: Draw, landing: Landing, order: Record, status: str, at: datetime) -> None:
    event = {**order, "status": status}
    if not draw.chance(0.03):  # now and then the backend does not say when it was there
        event["processed_timestamp"] = iso(at)
    landing.send("orders", event, at, {"processed_timestamp": iso(at + timedelta(minutes=9))})


def _move(draw: Draw, landing: Landing, product: str, pieces: int, reason: str, at: datetime) -> None:
    """A stock movement, and rarely a piece that breaks on the way."""
    for change, why in ((pieces, reason), (-1, "damage")):
        if why == "damage" and not draw.chance(0.03):
            continue
        row = {
            "event_type": "inventory",
            "inventory_id": f"INV-{draw.uuid()}",
            "product_id": product,
            "warehouse_id": draw.choice(pools.WAREHOUSES),
            "quantity_change": change,
            "reason": why,
            "timestamp": iso(at),
        }
        landing.send("inventory", row, at, {"quantity_change": change * 2 if abs(change) < 50 else change})
