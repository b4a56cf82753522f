"""What users do in the shop, visit by visit: login, products, the cart, and sometimes logout."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, repeat
from typing import Any

from hourglass.generate import pools, words
from hourglass.generate.draw import Draw
from hourglass.generate.record import iso
from hourglass.partition import Partition

_PLATFORMS = {"mobile": 55, "web": 38, "tablet": 7}
_NEXT = {
    "login": {"view_product": 88, "logout": 4, "": 8},
    "view_product": {"view_product": 60, "add_to_cart": 14, "logout": 6, "": 20},
    "add_to_cart": {"view_product": 55, "remove_from_cart": 15, "logout": 10, "": 20},
    "remove_from_cart": {"view_product": 70, "logout": 10, "": 20},
}
_DESKTOP = {agent: weight for agent, weight in words.USER_AGENTS.items() if "Mobile" not in agent}
_HANDHELD = {agent: weight for agent, weight in words.USER_AGENTS.items() if "Mobile" in agent}


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct activities.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    return islice(chain.from_iterable(_visit(draw) for _ in repeat(None)), count)


def _visit(draw: Draw) -> Iterator[dict[str, Any]]:
    platform = draw.weighted(_PLATFORMS)
    visit = {
        "event_type": "user_activity",
        "user_id": pools.busy_person(draw).id,
        "ip_address": draw.ip(),
        "user_agent": draw.weighted(_DESKTOP if platform == "web" else _HANDHELD),
        "metadata": {"session_id": draw.uuid(), "platform": platform},
    }
    activity, moment, seen = "login", draw.moment(), set()
    while activity and (activity, moment) not in seen:
        seen.add((activity, moment))
        yield {**visit, "activity_type": activity, "timestamp": iso(moment)}
        # At the end of the partition the clock stands still: the visit goes on in the next one.
        activity, moment = draw.weighted(_NEXT[activity]) if activity in _NEXT else "", draw.after(moment, 40)
