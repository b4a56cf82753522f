"""A day of the startup: its users, their sessions, and what they do in them.

Users sign up, change plans and leave; sessions run over midnight and are reported when they end; servers act for
users who are not there. At scale 1 a day has some 20,000 events.
"""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

from hourglass.generate.draw import Draw
from hourglass.generate.platforms.landing import Landed, Landing, draw_of, later, midnight, moment_in
from hourglass.generate.record import Record, iso
from hourglass.generate.sources.events import PAGES, PLATFORMS

_USERS = 2_000  # at scale 1
_SINCE = date(2019, 3, 1)
_PLANS = ("free", "free", "free", "starter", "pro", "enterprise")
_TYPES = {"page_view": 58, "click": 24, "search": 8, "add_to_cart": 6, "error": 4}
_CURRENCIES = {"USD": 80, "EUR": 20}
_BLOCKED = 1  # a blocker keeps this user's events back; the sessions come through
_NEW = 1_000_000  # from here on the indexes of users who sign up, by day


def day(when: date, seed: int = 1, scale: float = 1.0) -> Landed:
    """What the activity of one day comes to.

    Args:
        when: The day on which the sessions begin (UTC).
        seed: The same arguments give the same rows.
        scale: 1 is a day of the full size.

    Returns:
        Rows of `events`, `users` and `sessions` by the hour in which they land, some of it on the next two days.
    """
    draw = draw_of(when, seed, "startup")
    landing = Landing(draw, lateness=timedelta(hours=30))
    known = max(round(_USERS * scale), 10)
    for index in range(known):
        if draw.chance(0.05):
            _change(draw, landing, index, moment_in(draw, when))
        for _ in range(_visits(draw, index)):
            _session(draw, landing, index, _start(draw, index, when))
    for number in range(max(known // 50, 2)):
        index = _NEW + (when - _SINCE).days * 1_000 + number
        at = moment_in(draw, when)
        landing.send("users", _state(draw, index, "created", at), at)
        _event(draw, landing, index, "signup", at, None)
        _session(draw, landing, index, later(draw, at, 30))
    return landing.landed()


def _visits(draw: Draw, index: int) -> int:
    """The first user comes every night, the others as often as is their way."""
    if index == 0:
        return 1
    rate = random.Random(f"startup/{index}").expovariate(1.1)
    return min(int(rate) + draw.chance(rate % 1), 5)


def _start(draw: Draw, index: int, when: date) -> datetime:
    return midnight(when) + timedelta(hours=23, minutes=40) if index == 0 else moment_in(draw, when)


def _session(draw: Draw, landing: Landing, index: int, at: datetime) -> None:
    session, platform = draw.uuid(), draw.weighted(PLATFORMS)
    start, events, end = at, 0, at
    for number in range(40 if index == 0 else 1 + min(int(draw.random.expovariate(1 / 6)), 60)):
        end = at
        kind = "login" if number == 0 and draw.chance(0.3) else draw.weighted(_TYPES)
        _event(draw, landing, index, kind, at, session, platform)
        events += 1
        if kind == "add_to_cart" and draw.chance(0.5):
            end = later(draw, at, 40)
            _event(draw, landing, index, "purchase", end, session, platform)
            events += 1
        at = later(draw, end, 60 if index == 0 else 35)
    person = Draw.person(index)
    row = {
        "session_id": session,
        "user_id": person.id,
        "session_start": iso(start),
        "session_end": iso(end),
        "duration_seconds": round((end - start).total_seconds(), 3),
        "event_count": events,
        "platform": platform,
        "country": person.country,
        "entry_page": draw.choice(PAGES),
        "exit_page": draw.choice(PAGES),
        "payload": {},
    }
    landing.send("sessions", row, end, {"event_count": events + 1})


def _event(
    draw: Draw,
    landing: Landing,
    index: int,
    kind: str,
    at: datetime,
    session: str | None,
    platform: str = "server",
) -> None:
    event = {
        "event_id": draw.uuid(),
        "user_id": Draw.person(index).id,
        "event_type": kind,
        "event_timestamp": iso(at),
        "platform": platform,
        "app_version": draw.choice(("4.2.0", "4.1.3")),
        "payload": _payload(draw, kind),
    }
    if session:
        event["session_id"] = session
    if index == _BLOCKED:
        return
    landing.send("events", event, at, {"app_version": "sent again"})


def _payload(draw: Draw, kind: str) -> Record:
    if kind == "purchase":
        return {"amount": draw.money(35, high=5_000), "currency": draw.weighted(_CURRENCIES)}
    if kind in ("page_view", "click", "error"):
        return {"page": draw.choice(PAGES)}
    return {}


def _change(draw: Draw, landing: Landing, index: int, at: datetime) -> None:
    change = "deleted" if draw.chance(0.03) else "updated"
    landing.send("users", _state(draw, index, change, at), at, {"country": "XX"})


def _state(draw: Draw, index: int, change: str, at: datetime) -> Record:
    person, own = Draw.person(index), random.Random(f"startup/{index}")
    created = midnight(_SINCE) + timedelta(days=own.randrange(1_500))
    return {
        "user_id": person.id,
        "updated_at": iso(at),
        "created_at": iso(at if change == "created" else min(created, at)),
        "change": change,
        "email": person.email,
        "name": f"{person.first_name} {person.last_name}",
        "country": person.country,
        "plan": "free" if change == "created" else draw.choice(_PLANS),
        "status": "deleted" if change == "deleted" else "active",
        "marketing_consent": draw.chance(0.4),
        "payload": {},
    }
