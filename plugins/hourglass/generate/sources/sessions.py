"""Product sessions that ended in an hour, of the same users as the events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from hourglass.generate.draw import Draw
from hourglass.generate.record import as_moment, iso
from hourglass.generate.sources.events import PAGES, PLATFORMS, USERS, session_id
from hourglass.partition import Partition

_CAMPAIGNS = ("spring", "launch", "newsletter", "retarget")


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[dict[str, Any]]:
    """Sessions of one hour; a session begins in one half hour, so that a user has at most one in each.

    Args:
        draw: Random values.
        partition: The hour.
        count: How many.
    """
    seen: set[str] = set()
    while len(seen) < count:
        # Flatter than the events: even a busy user has one session in a half hour.
        user = draw.zipf(USERS + 4 * count, 0.4)
        end = draw.moment()
        seconds = min(draw.random.lognormvariate(4.6, 1.2), 1_799)
        start = end - timedelta(milliseconds=int(seconds * 1000))
        name = session_id(user, int(start.timestamp()) // 1_800)
        if name in seen:
            continue
        seen.add(name)
        person = draw.person(user)
        yield {
            "session_id": name,
            "user_id": person.id,
            "session_start": iso(start),
            "session_end": iso(end),
            "duration_seconds": (end - start).total_seconds(),
            "event_count": 1 + draw.zipf(60, 1.4),
            "platform": draw.weighted(PLATFORMS),
            "country": person.country,
            "entry_page": PAGES[draw.zipf(len(PAGES))],
            "exit_page": draw.choice(PAGES),
            "payload": {"campaign": draw.choice(_CAMPAIGNS)} if draw.chance(0.3) else {},
        }


def ended_before_it_began(record: dict[str, Any]) -> None:
    """Put the start after the end."""
    moment = as_moment(record["session_end"])
    assert moment is not None  # noqa: S101 (a good record has one)
    record["session_start"] = iso(moment + timedelta(minutes=1))


BREAK = {"starts_before_it_ends": ended_before_it_began}
