"""Changes of users: new accounts, changed plans and settings, deleted accounts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hourglass.generate.draw import Draw
from hourglass.generate.record import as_moment, iso
from hourglass.generate.sources.events import USERS
from hourglass.partition import Partition

_CHANGES = {"updated": 78, "created": 20, "deleted": 2}
_PLANS = {"free": 70, "starter": 18, "pro": 10, "enterprise": 2}
_FIRST_ACCOUNT = datetime(2019, 3, 1, tzinfo=UTC)
_NEW = 10_000_000  # from here on the index of accounts that no other source knows yet


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Changes of one hour, of a user at most one each millisecond.

    Args:
        draw: Random values.
        partition: The hour.
        count: How many.
    """
    seen: set[tuple[int, datetime]] = set()
    while len(seen) < count:
        change = draw.weighted(_CHANGES)
        index = draw.whole(_NEW, 2 * _NEW) if change == "created" else draw.zipf(USERS)
        moment = draw.moment()
        if (index, moment) not in seen:
            seen.add((index, moment))
            yield _state(draw, index, change, moment)


def _state(draw: Draw, index: int, change: str, moment: datetime) -> dict[str, Any]:
    person = draw.person(index)
    return {
        "user_id": person.id,
        "updated_at": iso(moment),
        "created_at": iso(moment if change == "created" else _created(index, moment)),
        "change": change,
        "email": person.email,
        "name": f"{person.first_name} {person.last_name}",
        "country": person.country,
        "plan": "free" if change == "created" else draw.weighted(_PLANS),
        "status": "deleted" if change == "deleted" else draw.weighted({"active": 98, "suspended": 2}),
        "marketing_consent": draw.chance(0.4),
        "payload": {
            "theme": draw.weighted({"light": 60, "dark": 40}),
            "language": draw.weighted({"en": 60, "de": 12, "pt": 10, "fr": 9, "es": 9}),
            "team_size": 1 + draw.zipf(200),
        },
    }


def _created(index: int, moment: datetime) -> datetime:
    """When an account was made: the same in every state of it, unless that would be after the change."""
    days = random.Random(f"created/{index}").uniform(0, 2_000)
    return min(_FIRST_ACCOUNT + timedelta(days=days), moment - timedelta(days=1))


def changed_before_made(record: dict[str, Any]) -> None:
    """Put the account's making after the change."""
    moment = as_moment(record["updated_at"])
    assert moment is not None  # noqa: S101 (a good record has one)
    record["created_at"] = iso(moment + timedelta(hours=1))


BREAK = {"created_before_updated": changed_before_made}
