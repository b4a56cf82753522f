"""Visits to the shop's pages: a funnel that loses people at every step, some of them unknown until they buy."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, repeat
from typing import Any

from hourglass.generate import pools
from hourglass.generate.draw import Draw
from hourglass.generate.record import iso
from hourglass.partition import Partition

_DEVICES = {"mobile": 58, "desktop": 36, "tablet": 6}
_REFERRERS = {
    "": 45,
    "https://search.example/": 35,
    "https://social.example/": 14,
    "https://news.example/": 6,
}
_CAMPAIGNS = {"": 80, "newsletter": 9, "summer_sale": 6, "retargeting": 5}
_PAGES = ("/", "/new", "/sale", "/search", "/help")
_PATHS = {"product_view": "/product/{}", "add_to_cart": "/product/{}", "begin_checkout": "/checkout"}
# The share of visits that go on from each step to the next.
_FUNNEL = (("product_view", 0.62), ("add_to_cart", 0.24), ("begin_checkout", 0.55), ("purchase", 0.68))


def _forget_the_product(record: dict[str, Any]) -> None:
    record["event_name"] = "product_view"
    record.pop("product_id", None)


BREAK = {"funnel_names_the_product": _forget_the_product}


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct steps of visits.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    return islice(chain.from_iterable(_visit(draw) for _ in repeat(None)), count)


def _visit(draw: Draw) -> Iterator[dict[str, Any]]:
    visitor, known = pools.busy_person(draw), draw.chance(0.4)
    visit = {
        "session_id": draw.uuid(),
        "anonymous_id": draw.hex(16),
        "device_type": draw.weighted(_DEVICES),
        "country": visitor.country,
    }
    if campaign := draw.weighted(_CAMPAIGNS):
        visit["campaign"] = campaign
    moment = draw.moment()
    for step in _steps(draw):
        event = {"event_id": draw.uuid(), "event_timestamp": iso(moment), **visit, **step}
        # Whoever buys has logged in by then.
        known = known or event["event_name"] in ("begin_checkout", "purchase")
        if known:
            event["user_id"] = visitor.id
        yield event
        moment = draw.after(moment, 35)


def _steps(draw: Draw) -> Iterator[dict[str, Any]]:
    first = {"event_name": "page_view", "page_url": draw.choice(_PAGES), "page_load_ms": _load_time(draw)}
    if referrer := draw.weighted(_REFERRERS):
        first["referrer"] = referrer
    yield first
    while draw.chance(0.35):
        yield {"event_name": "page_view", "page_url": draw.choice(_PAGES), "page_load_ms": _load_time(draw)}
    product = pools.popular_product(draw)
    for name, share in _FUNNEL:
        if not draw.chance(share):
            return
        yield {
            "event_name": name,
            "page_url": _PATHS.get(name, "/thanks").format(product.id),
            "product_id": product.id,
            "product_category": product.category,
            "page_load_ms": _load_time(draw),
        }


def _load_time(draw: Draw) -> int:
    return int(draw.money(420, spread=0.6, low=30, high=29_000))
