"""Product events: sessions of a few users each hour, with a funnel from page views to purchases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hourglass.generate.draw import Draw
from hourglass.generate.record import iso
from hourglass.partition import Partition

USERS = 20_000
PAGES = ("/", "/pricing", "/features", "/docs", "/blog", "/signup", "/app", "/app/projects", "/app/settings")
PLATFORMS = {"web": 62, "ios": 20, "android": 18}
_TYPES = {
    "page_view": 55, "click": 22, "search": 8, "add_to_cart": 5, "login": 4, "purchase": 2, "error": 2,
    "signup": 1, "feedback": 1,
}  # fmt: skip
_VERSIONS = {"4.2.0": 60, "4.1.3": 25, "4.1.2": 10, "3.9.8": 5}
_SERVER_SHARE = 0.03


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Events of one hour.

    Args:
        draw: Random values.
        partition: The hour.
        count: How many.
    """
    for _ in range(count):
        user = draw.zipf(USERS)
        moment = draw.moment()
        kind = draw.weighted(_TYPES)
        event = {
            "event_id": draw.uuid(),
            "user_id": draw.ident("user", user),
            "event_type": kind,
            "event_timestamp": iso(moment),
            "app_version": draw.weighted(_VERSIONS),
            "payload": _PAYLOADS[kind](draw),
        }
        if draw.chance(_SERVER_SHARE):
            yield event | {"platform": "server"}
        else:
            session = session_id(user, int(moment.timestamp()) // 1_800)
            yield event | {"platform": draw.weighted(PLATFORMS), "session_id": session}


def session_id(user: int, half_hour: int) -> str:
    """The session of a user in a half hour, by which events and sessions belong together.

    Args:
        user: The user's index.
        half_hour: Half hours since 1970.
    """
    return Draw.ident("session", user * 10_000_000 + half_hour)


def without_amount(record: dict[str, Any]) -> None:
    """Make a purchase of which nobody knows the amount."""
    record["event_type"] = "purchase"
    record["payload"] = {"currency": "USD"}


BREAK = {"purchase_has_amount": without_amount}


def _purchase(draw: Draw) -> dict[str, Any]:
    return {
        "order_id": draw.uuid(),
        "amount": draw.money(35, high=5_000),
        "currency": draw.weighted({"USD": 70, "EUR": 22, "GBP": 8}),
        "items": 1 + draw.zipf(8, 1.8),
    }


_PAYLOADS: dict[str, Callable[[Draw], dict[str, Any]]] = {
    "page_view": lambda draw: {
        "page": draw.choice(PAGES),
        "load_ms": int(draw.money(420, low=40, high=20_000)),
    },
    "click": lambda draw: {"page": draw.choice(PAGES), "element": f"button-{draw.zipf(40)}"},
    "search": lambda draw: {"query": draw.sentence(1, 4)[:-1].lower(), "results": draw.zipf(200)},
    "add_to_cart": lambda draw: {"product_id": f"p-{draw.zipf(500):04d}", "quantity": 1 + draw.zipf(5, 2.0)},
    "login": lambda draw: {"method": draw.weighted({"password": 50, "google": 40, "sso": 10})},
    "purchase": _purchase,
    "error": lambda draw: {"code": draw.choice((400, 403, 404, 422, 500, 503)), "page": draw.choice(PAGES)},
    "signup": lambda draw: {"referrer": draw.weighted({"search": 45, "friend": 30, "ad": 25})},
    "feedback": lambda draw: {"score": draw.whole(0, 10), "text": draw.sentence()},
}
