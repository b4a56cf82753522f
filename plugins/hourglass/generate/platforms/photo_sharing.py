"""A day of the photo-sharing app, as its SDK and, until the cut-over, Google Analytics 4 tell of it.

Sessions run over midnight, clients send late and repeat themselves, users move, photos are looked at by those who like
their topic. At scale 1 a day has more than 200,000 events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from hourglass.generate.draw import Draw
from hourglass.generate.platforms import photo_people as people
from hourglass.generate.platforms.landing import Landed
from hourglass.generate.platforms.photo_ga4 import ga4_row
from hourglass.generate.record import Record, iso
from hourglass.partition import Grain, Partition

SDK_SINCE = date(2024, 5, 18)  # from then on clients send to both, and from the cut-over the SDK counts
CUT_OVER = date(2024, 6, 1)
GA4_UNTIL = date(2024, 6, 14)
_USERS, _POSTS = 12_500, 4_000  # at scale 1
_KINDS = {"view": 80, "click": 12, "react": 6, "share": 2}
_HELD_BACK, _REPEATED, _BAD = 0.03, 0.015, 0.005
_MIRRORED = 0.97  # the rest is lost to what blocks analytics


def day(when: date, seed: int = 1, scale: float = 1.0) -> Landed:
    """What the activity of one day comes to: by source, the rows of every partition, in the order they arrived.

    Rows of late events and of sessions that run over midnight land on the next day: put the days of a longer time
    together with `merged`.

    Args:
        when: The day on which the sessions begin (UTC).
        seed: The same arguments give the same rows.
        scale: 1 is a day of the full size.

    Returns:
        Rows of `mobile_sdk` by hour, from `SDK_SINCE` on, and of `ga4` by day, until `GA4_UNTIL`.
    """
    draw = Draw(seed, Partition(_midnight(when), Grain.DAY), "photo_sharing")
    landed: Landed = {"mobile_sdk": defaultdict(list), "ga4": defaultdict(list)}
    for event in _events(draw, when, scale):
        moment = datetime.fromisoformat(event["event_timestamp"])
        if when >= SDK_SINCE:
            _send(draw, event, moment, landed["mobile_sdk"])
        if moment.date() <= GA4_UNTIL and draw.chance(_MIRRORED):
            landed["ga4"][_midnight(moment.date())].append(ga4_row(event, moment))
    return {source: dict(sorted(hours.items())) for source, hours in landed.items() if hours}


def bad(when: date, seed: int = 1, scale: float = 1.0) -> Landed:
    """Rows that must be quarantined: of the day's partitions, one in two hundred rows again with a wrong value.

    Args:
        when: The day.
        seed: As for `day`.
        scale: As for `day`.
    """
    draw = Draw(seed, Partition(_midnight(when), Grain.DAY), "photo_sharing bad")
    wrong = ({"event_type": "teleport"}, {"user_id": "someone"}, {"event_revenue": 5_000.0})
    spoilt: dict[datetime, list[Record]] = {}
    for hour, rows in day(when, seed, scale).get("mobile_sdk", {}).items():
        chosen = [row for row in rows if draw.chance(_BAD)]
        spoilt[hour] = [{**row, "event_id": draw.uuid(), **draw.choice(wrong)} for row in chosen]
    return {"mobile_sdk": spoilt}


def _send(draw: Draw, event: Record, moment: datetime, hours: dict[datetime, list[Record]]) -> None:
    """Put an event where it lands: most within seconds, some after hours offline, some once more."""
    held_back = draw.chance(_HELD_BACK)
    delay = timedelta(minutes=draw.random.uniform(5, 235)) if held_back else timedelta(seconds=20)
    hours[_hour(moment + delay)].append(event)
    if draw.chance(_REPEATED):  # the client has no answer, counts on, and sends it again
        again = {**event, "engagement_duration": event.get("engagement_duration", 0.0) + 1.0}
        delay += timedelta(minutes=draw.choice((0, 1, 45)))
        hours[_hour(moment + min(delay, timedelta(hours=4)))].append(again)


def _events(draw: Draw, when: date, scale: float) -> Iterator[Record]:
    users, posts = max(round(_USERS * scale), 10), max(round(_POSTS * scale), 10)
    midnight = _midnight(when)
    for number in range(posts):
        found = people.content(midnight, number, posts, users)
        about = {"content_id": found.id, "post_text": found.text}
        yield _event(draw, found.creator, found.posted_at, 0, {"event_type": "post", **about})
    for index in range(users):
        for _ in range(_sessions(draw, index)):
            yield from _session(draw, index, _start(draw, index, midnight), (posts, users))


def _sessions(draw: Draw, index: int) -> int:
    """How many sessions a user begins on the day; the first user has one every night."""
    if index == 0:
        return 1
    rate = people.user(index).activity
    return int(rate) + draw.chance(rate % 1)


def _start(draw: Draw, index: int, midnight: datetime) -> datetime:
    if index == 0:
        return midnight + timedelta(hours=22, minutes=30)
    hour = draw.random.triangular(0, 24, 21)
    return midnight + timedelta(milliseconds=int(hour * 3_600_000) % 86_400_000)


def _session(draw: Draw, index: int, at: datetime, size: tuple[int, int]) -> Iterator[Record]:
    """Events until the user stops; the first user goes on for five hours."""
    device = draw.whole(0, len(people.user(index).devices) - 1)
    for _ in range(60 if index == 0 else 1 + min(int(draw.random.expovariate(1 / 10)), 80)):
        yield _event(draw, index, at, device, _about(draw, index, at, size))
        at += timedelta(minutes=5) if index == 0 else _pause(draw)


def _pause(draw: Draw) -> timedelta:
    """Seconds, and now and then about as long as what ends a session."""
    if draw.chance(0.03):
        return timedelta(minutes=draw.choice((20, 30, 31, 40)))
    return timedelta(milliseconds=1 + int(draw.random.expovariate(1 / 45) * 1000))


def _about(draw: Draw, index: int, at: datetime, size: tuple[int, int]) -> Record:
    """What the user does, and with which photo: one of the last days', rather of their own topic."""
    kind = draw.weighted(_KINDS)
    found = _seen(draw, at, size)
    if found.topic != people.user(index).topic:
        found = _seen(draw, at, size)
    about: dict[str, Any] = {"event_type": kind, "content_id": found.id}
    if kind == "view":
        about["engagement_duration"] = round(min(draw.random.lognormvariate(1.6, 1.0), 3_600), 3)
    if kind in ("react", "share"):
        about["interaction_count"] = 1 + draw.zipf(10, 2.0)
    if kind == "react" and draw.chance(0.3):
        about["comment_text"] = draw.sentence(2, 20)
    if kind == "click" and draw.chance(0.1):
        about["event_revenue"] = draw.money(6, high=1_000)
    return about


def _seen(draw: Draw, at: datetime, size: tuple[int, int]) -> people.Content:
    """A photo that was there at the moment; new and few ones are looked at most."""
    posts, users = size
    midnight = _midnight(at.date()) - timedelta(days=min(int(draw.random.expovariate(1.2)), 6))
    number = draw.zipf(posts)
    found = people.content(midnight, number, posts, users)
    return (
        found if found.posted_at < at else people.content(midnight - timedelta(days=1), number, posts, users)
    )


def _event(draw: Draw, index: int, at: datetime, device: int, about: Record) -> Record:
    found = people.user(index)
    away = found.is_away(at)
    event = {
        "event_id": draw.uuid(),
        "event_timestamp": iso(at),
        "user_id": found.person.id,
        "session_id": draw.ident("photo session", index * 1_000_000 + int(at.timestamp()) // 1800),
        "user_properties": people.properties(index, at.date(), away),
        "device": found.devices[device],
        "location": people.location(index, away),
        **about,
    }
    if draw.chance(0.02):
        del event["location"]
    return event


@lru_cache(maxsize=64)
def _midnight(when: date) -> datetime:
    return datetime.combine(when, time(), UTC)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
