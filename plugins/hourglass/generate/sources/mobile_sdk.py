"""What the photo-sharing app's SDK sends: few users are busy, few contents popular, clients send late."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Any

from hourglass.generate.draw import Draw, Person
from hourglass.generate.record import iso
from hourglass.partition import Partition

USERS = 50_000
CONTENTS = 200_000
_TYPES = {"view": 78, "click": 12, "react": 6, "share": 2, "post": 2}
_AGES = {"18-24": 34, "25-34": 31, "35-44": 18, "45-54": 10, "55+": 7}
_DEVICES = {
    "ios": (("17.7", "18.1", "18.2"), ("iPhone 13", "iPhone 14", "iPhone 15", "iPad Air")),
    "android": (("13", "14", "15"), ("Pixel 8", "Galaxy S23", "Galaxy A54", "Galaxy Tab S9")),
}
_TABLETS = ("iPad Air", "Galaxy Tab S9")
_SESSION = timedelta(minutes=30)


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Events of one hour.

    Args:
        draw: Random values.
        partition: The hour.
        count: How many.
    """
    for _ in range(count):
        index = draw.zipf(USERS, 1.05)
        person, device, properties = _user(index)
        kind = draw.weighted(_TYPES)
        moment = draw.moment()
        event: dict[str, Any] = {
            "event_id": draw.uuid(),
            "event_timestamp": iso(moment),
            "event_type": kind,
            "user_id": person.id,
            "session_id": draw.ident(
                "mobile session", index * 1_000_000 + int(moment.timestamp() / _SESSION.total_seconds())
            ),
            "user_properties": properties,
            "device": device,
            "location": {"country": person.country, "region": person.region, "city": person.city},
        }
        yield event | _about(draw, kind)


def _about(draw: Draw, kind: str) -> dict[str, Any]:
    """The fields that depend on the kind of event."""
    found: dict[str, Any] = {"content_id": f"c-{draw.zipf(CONTENTS):07d}"}
    if kind == "post":
        return {
            "content_id": f"c-{CONTENTS + draw.whole(0, 9_999_999):07d}",
            "post_text": draw.sentence(3, 30),
        }
    if kind == "view":
        found["engagement_duration"] = round(min(draw.random.lognormvariate(1.6, 1.0), 3_600), 3)
    if kind in ("react", "share"):
        found["interaction_count"] = 1 + draw.zipf(10, 2.0)
    if kind == "react" and draw.chance(0.3):
        found["comment_text"] = draw.sentence(2, 20)
    if kind == "click" and draw.chance(0.05):
        found["event_revenue"] = draw.money(6, high=1_000)
    return found


@lru_cache(maxsize=USERS)
def _user(index: int) -> tuple[Person, dict[str, Any], dict[str, Any]]:
    """A user, the device and the properties: the same in every partition."""
    person, own = Draw.person(index), random.Random(f"mobile/{index}")
    os = own.choices(("android", "ios"), (58, 42))[0]
    versions, models = _DEVICES[os]
    model = own.choice(models)
    device = {
        "os": os,
        "os_version": own.choice(versions),
        "model": model,
        "category": "tablet" if model in _TABLETS else "phone",
    }
    properties = {
        "ltv": round(own.lognormvariate(2.6, 1.3), 2),
        "age_group": own.choices(list(_AGES), list(_AGES.values()))[0],
        "country": person.country,
        "email_domain": person.email.split("@")[1],
        "username": person.username,
    }
    return person, device, properties
