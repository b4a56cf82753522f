"""Support tickets of a day, as they stand at its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hourglass.generate import pools
from hourglass.generate.draw import Draw
from hourglass.generate.record import iso
from hourglass.partition import Partition

_CHANNELS = {"chat": 40, "email": 33, "web_form": 15, "phone": 12}
_SUBJECTS = {
    "delivery": ("Where is my order", "Parcel is damaged", "Wrong address"),
    "payment": ("Charged twice", "Refund has not come", "Card was refused"),
    "product": ("It does not work", "Wrong size", "A part is missing"),
    "account": ("Cannot log in", "Change my address", "Delete my account"),
    "other": ("A question", "Thank you", "Suggestion"),
}
_CATEGORIES = {"delivery": 38, "product": 25, "payment": 18, "account": 12, "other": 7}
_PRIORITIES = {"normal": 66, "low": 16, "high": 14, "urgent": 4}
_STATUSES = {"closed": 30, "solved": 35, "pending": 15, "open": 20}
_SCORES = {5: 46, 4: 24, 3: 12, 2: 7, 1: 11}
_AGENTS = 40


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct tickets.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    for _ in range(count):
        category, opened = draw.weighted(_CATEGORIES), draw.moment()
        ticket: dict[str, Any] = {
            "ticket_id": f"TK-{draw.uuid()}",
            "created_at": iso(opened),
            "customer_id": pools.busy_person(draw).id,
            "channel": draw.weighted(_CHANNELS),
            "category": category,
            "priority": draw.weighted(_PRIORITIES),
            "status": draw.weighted(_STATUSES),
            "subject": draw.choice(_SUBJECTS[category]),
            "message": " ".join(draw.sentence() for _ in range(draw.whole(1, 4))),
        }
        if category in ("delivery", "product"):
            ticket["product_id"] = pools.popular_product(draw).id
        if ticket["status"] != "open":
            ticket["agent_id"] = f"AG{draw.zipf(_AGENTS, exponent=0.5):03d}"
            ticket["first_response_minutes"] = int(draw.money(35, spread=1.0, high=1_439))
        if ticket["status"] in ("solved", "closed"):
            ticket["resolved_at"] = iso(draw.after(opened, 5 * 3600))
            if draw.chance(0.4):
                ticket["satisfaction_score"] = draw.weighted(_SCORES)
        yield ticket
