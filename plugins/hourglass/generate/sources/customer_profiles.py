"""All customers as they are on the partition's day; a few of them change from one day to the next."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from hourglass.generate import pools
from hourglass.generate.draw import Draw
from hourglass.generate.record import iso
from hourglass.partition import Partition

_EPOCH = date(2020, 1, 1)  # no profile changed, and no account was opened, before
_SEGMENTS = ("new", "regular", "loyal", "vip")
_CHANNELS = ("email", "email", "push", "sms", "none")
_DAYS_BETWEEN_CHANGES = (30, 400)


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Distinct customers, the busiest first.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    for index in range(count):
        yield {**profile(index, partition.start.date()), "exported_at": iso(draw.moment())}


def profile(index: int, day: date) -> dict[str, Any]:
    """A customer at the beginning of a day, without `exported_at`: the same whenever it is asked for.

    Args:
        index: The person's.
        day: The day.
    """
    person, own = pools.person(index), random.Random(f"customer/{index}")
    signup = _EPOCH + timedelta(days=own.randrange(1500))
    every = own.randint(*_DAYS_BETWEEN_CHANGES)
    changes = max((day - signup).days - 1, 0) // every
    changed = min(signup + timedelta(days=changes * every), day - timedelta(days=1))
    now = random.Random(f"customer/{index}/{changes}")
    moved = changes and now.random() < 0.3
    found: dict[str, Any] = {
        "customer_id": person.id,
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "address": {
            "street": pools.street(index + changes * pools.USERS if moved else index),
            "city": person.city,
            "region": person.region,
            "country": person.country,
        },
        "segment": _SEGMENTS[min(changes * own.choice((0, 1, 1, 2)), len(_SEGMENTS) - 1)],
        "marketing_opt_in": now.random() < 0.45,
        "preferred_channel": now.choice(_CHANNELS),
        "signup_date": min(signup, changed).isoformat(),
        "lifetime_value": round(changes * own.lognormvariate(4.2, 0.9), 2),
        # Changes are made by day, hours before the next export begins.
        "updated_at": iso(datetime.combine(changed, time(8), UTC) + timedelta(seconds=now.randrange(36_000))),
    }
    if own.random() < 0.8:
        found["phone"] = f"+1 555 01{own.randrange(100):02d}"
    if own.random() < 0.9:
        found["date_of_birth"] = (date(1945, 1, 1) + timedelta(days=own.randrange(22_000))).isoformat()
    return found
