"""A day of the lambda and medallion platform: visits lead to payments, payments to tickets, and profiles are exported.

Some of it comes days late. At scale 1 a day has some 20,000 clicks and 1,000 transactions.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from hourglass.generate import pools
from hourglass.generate.draw import Draw
from hourglass.generate.platforms.landing import Landed, Landing, draw_of, later, midnight, moment_in
from hourglass.generate.record import Record, iso
from hourglass.generate.sources import customer_profiles
from hourglass.partition import Grain

_VISITS, _CUSTOMERS = 5_000, 2_000  # at scale 1
_GRAINS = {"customer_profiles": Grain.DAY, "customer_support": Grain.DAY}
_DEVICES = {"mobile": 58, "desktop": 36, "tablet": 6}
_STEPS = (("add_to_cart", 0.4), ("begin_checkout", 0.6), ("purchase", 0.8))


def day(when: date, seed: int = 1, scale: float = 1.0) -> Landed:
    """What the visits of one day come to, and the profiles as they are at noon.

    Args:
        when: The day on which the visits begin (UTC).
        seed: The same arguments give the same rows.
        scale: 1 is a day of the full size.

    Returns:
        Rows of `clickstream` and `transactions` by hour, and of `customer_support` and `customer_profiles` by day,
        as they land: some of them up to six days later.
    """
    draw = draw_of(when, seed, "lambda_medallion")
    landing = Landing(draw, lateness=timedelta(days=6), grains=_GRAINS)
    customers = max(round(_CUSTOMERS * scale), 20)
    for number in range(max(round(_VISITS * scale), 10)):
        start = midnight(when) + timedelta(hours=23, minutes=58.5) if number == 0 else moment_in(draw, when)
        _visit(draw, landing, draw.zipf(customers, exponent=0.6), start, keen=number == 0)
    noon = midnight(when) + timedelta(hours=12)
    for index in range(customers):
        profile = {**customer_profiles.profile(index, when), "exported_at": iso(noon)}
        landing.send("customer_profiles", profile, noon)
    return landing.landed()


def _visit(draw: Draw, landing: Landing, buyer: int, at: datetime, *, keen: bool) -> None:
    """From page to page to a few products, some as far as the purchase; who buys has logged in by then."""
    person, known = pools.person(buyer), draw.chance(0.4)
    visit = {
        "session_id": draw.uuid(),
        "anonymous_id": draw.hex(16),
        "device_type": draw.weighted(_DEVICES),
        "country": person.country,
    }
    if draw.chance(0.2):
        visit["campaign"] = draw.choice(("newsletter", "summer_sale"))

    def click(name: str, moment: datetime, product: pools.Product | None = None) -> None:
        event: Record = {"event_id": draw.uuid(), "event_timestamp": iso(moment), "event_name": name, **visit}
        event |= {"page_url": f"/{name}", "page_load_ms": int(draw.money(420, low=30, high=29_000))}
        if product:
            event |= {"product_id": product.id, "product_category": product.category}
        if known:
            event["user_id"] = person.id
        landing.send("clickstream", event, moment, {"page_url": "/again"})

    for _ in range(1 + draw.chance(0.35)):
        click("page_view", at)
        at = later(draw, at, 30)
    for _ in range(draw.weighted({0: 30, 1: 40, 2: 20, 4: 10}) or keen):
        product = pools.popular_product(draw)
        click("product_view", at, product)
        for step, share in _STEPS:
            if not (keen or draw.chance(share)):
                break
            at = later(draw, at, 45)
            known = known or step != "add_to_cart"
            click(step, at, product)
            if step == "purchase":
                _pay(draw, landing, person.id, product, later(draw, at, 5))
        at = later(draw, at, 30)


def _pay(draw: Draw, landing: Landing, customer: str, product: pools.Product, at: datetime) -> None:
    quantity, method = draw.weighted({1: 74, 2: 16, 3: 10}), draw.weighted({"card": 70, "wallet": 30})
    whole = product.price * quantity
    discount = (whole * Decimal(draw.choice((0, 0, 0, 10))) / 100).quantize(pools.CENT)
    payment: Record = {
        "transaction_id": f"TX-{draw.uuid()}",
        "transaction_timestamp": iso(at),
        "customer_id": customer,
        "product_id": product.id,
        "quantity": quantity,
        "unit_price": product.price,
        "discount": discount,
        "amount": whole - discount,
        "payment_method": method,
        "status": draw.weighted({"completed": 90, "refunded": 5, "failed": 5}),
        "channel": draw.weighted({"web": 55, "app": 45}),
    }
    if method == "card":
        payment["card_last4"] = f"{draw.whole(0, 9999):04d}"
    landing.send("transactions", payment, at, {"channel": "store"})
    if payment["status"] != "completed" or draw.chance(0.1):
        _complain(draw, landing, customer, product.id, later(draw, at, 4 * 3600))


def _complain(draw: Draw, landing: Landing, customer: str, product: str, at: datetime) -> None:
    """A ticket as it stands at the end of its day."""
    ticket: Record = {
        "ticket_id": f"TK-{draw.uuid()}",
        "created_at": iso(at),
        "customer_id": customer,
        "channel": draw.weighted({"chat": 45, "email": 40, "phone": 15}),
        "category": draw.weighted({"payment": 50, "product": 30, "delivery": 20}),
        "priority": draw.weighted({"normal": 70, "high": 22, "urgent": 8}),
        "status": draw.weighted({"closed": 30, "solved": 35, "pending": 15, "open": 20}),
        "subject": "About my order",
        "message": draw.sentence(),
        "product_id": product,
    }
    if ticket["status"] != "open":
        ticket |= {"agent_id": f"AG{draw.zipf(20):03d}", "first_response_minutes": draw.whole(1, 300)}
    if ticket["status"] in ("solved", "closed"):
        ticket["resolved_at"] = iso(later(draw, at, 20 * 3600))
        if draw.chance(0.5):
            ticket["satisfaction_score"] = draw.whole(1, 5)
    landing.send("customer_support", ticket, at, {"priority": "low"})
