"""Who uses the photo-sharing app, with what, and what they see: the same for every event of one moment."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from hourglass.generate import words
from hourglass.generate.draw import Draw, Person

TOPICS: dict[str, tuple[str, ...]] = {
    "beach": ("sunset", "sea", "summer", "surf"),
    "food": ("coffee", "vegan", "baking", "brunch"),
    "city": ("street", "night", "neon", "architecture"),
    "nature": ("forest", "hiking", "snow", "lake"),
    "pets": ("cats", "dogs", "puppy"),
}
_AGES = ("18-24", "25-34", "35-44", "45-54", "55+")
_DEVICES = {
    "ios": (("17.7", "18.1", "18.2"), ("iPhone 13", "iPhone 14", "iPhone 15", "iPad Air")),
    "android": (("13", "14", "15"), ("Pixel 8", "Galaxy S23", "Galaxy A54", "Galaxy Tab S9")),
}
_TABLETS = ("iPad Air", "Galaxy Tab S9")
_EPOCH = datetime(2020, 1, 1).date()
_CHANGING = 0.2  # the share of users whose properties change


@dataclass(frozen=True, slots=True)
class User:
    """A user of the app.

    Args:
        person: Who it is.
        topic: What they like to look at.
        activity: Sessions a day, on average.
        devices: One or two, as the SDK describes them.
        ltv: Lifetime value at the first day, in USD.
        growth: By how much it grows a day.
        cycle: After how many hours they move, rename themselves and come back; 0 for those who stay.
        offset: Where in the cycle they are, in hours.
        age_group: Their age.
    """

    person: Person
    topic: str
    activity: float
    devices: tuple[dict[str, Any], ...]
    ltv: float
    growth: float
    cycle: int
    offset: int
    age_group: str

    def is_away(self, moment: datetime) -> bool:
        """Whether the user has moved, and not come back yet."""
        return bool(self.cycle) and (_hours(moment) + self.offset) // self.cycle % 2 == 1


@lru_cache(maxsize=100_000)
def user(index: int) -> User:
    """The `index`-th user: the same on every day."""
    own = random.Random(f"photo/{index}")
    changes = own.random() < _CHANGING or index < 3
    return User(
        person=Draw.person(index),
        topic=own.choice(list(TOPICS)),
        activity=min(0.3 + own.expovariate(0.8), 6.0),
        devices=tuple(_device(own) for _ in range(own.choice((1, 1, 1, 2)))),
        ltv=round(own.lognormvariate(2.6, 1.3), 2),
        growth=own.choice((0.0, 0.01, 0.05)),
        cycle=own.randint(20, 200) if changes else 0,
        offset=own.randrange(400),
        age_group=own.choices(_AGES, (34, 31, 18, 10, 7))[0],
    )


@lru_cache(maxsize=200_000)
def properties(index: int, day: date, away: bool) -> dict[str, Any]:
    """What the client knows of a user; shared by the events of a day, so do not change it.

    Args:
        index: The user.
        day: The day.
        away: Whether they have moved.
    """
    found = user(index)
    renamed = "_away" if away and index % 2 else ""
    return {
        "ltv": round(found.ltv + found.growth * (day - _EPOCH).days, 2),
        "age_group": found.age_group,
        "country": _place(index, away)[0],
        "email_domain": found.person.email.split("@")[1],
        "username": f"{found.person.username}{renamed}",
    }


@lru_cache(maxsize=100_000)
def location(index: int, away: bool) -> dict[str, Any]:
    """Where a user's device is; a few devices do not say, or name no city."""
    country, region, city = _place(index, away)
    if index % 50 == 49:
        return {"country": country, "region": region, "city": None}
    return {"country": country, "region": region, "city": city}


@dataclass(frozen=True, slots=True)
class Content:
    """A photo.

    Args:
        id: `c-`, the day it was posted and a number.
        creator: Index of the user who posted it.
        posted_at: When.
        topic: What it shows.
        text: What the creator wrote, with hashtags.
    """

    id: str
    creator: int
    posted_at: datetime
    topic: str
    text: str


@lru_cache(maxsize=100_000)
def content(day: datetime, number: int, posts: int, users: int) -> Content:
    """One of a day's photos, posted in the order of their numbers.

    Args:
        day: Midnight of the day, UTC.
        number: Which of them, from 0.
        posts: How many the day has.
        users: How many users there are.
    """
    own = random.Random(f"photo/{day:%Y%m%d}/{number}")
    topic = own.choice(list(TOPICS))
    seconds = 86_400 * (number + own.random()) / posts
    text = " ".join(own.choices(words.WORDS, k=own.randint(2, 8)))
    return Content(
        id=f"c-{day:%y%m%d}{number:05d}",
        creator=own.randrange(users),
        posted_at=day + timedelta(milliseconds=int(seconds * 1000)),
        topic=topic,
        text=f"{text} {_hashtags(own, topic)}".strip(),
    )


def _hashtags(own: random.Random, topic: str) -> str:
    """None, or some of the topic's; a tag may come twice, and in another case."""
    tags = own.choices(TOPICS[topic], k=own.choice((0, 1, 2, 2, 3, 4)))
    if tags and own.random() < 0.2:
        tags = [*tags, own.choice(TOPICS[own.choice(list(TOPICS))])]
    return " ".join(f"#{tag.capitalize() if own.random() < 0.3 else tag}" for tag in tags)


def _device(own: random.Random) -> dict[str, Any]:
    os = own.choices(("android", "ios"), (58, 42))[0]
    versions: Sequence[str]
    versions, models = _DEVICES[os]
    model = own.choice(models)
    category = "tablet" if model in _TABLETS else "phone"
    return {"os": os, "os_version": own.choice(versions), "model": model, "category": category}


@lru_cache(maxsize=200_000)
def _place(index: int, away: bool) -> tuple[str, str, str]:
    person = user(index).person
    if not away:
        return person.country, person.region, person.city
    own = random.Random(f"photo/away/{index}")
    country = own.choice(list(words.PLACES))
    return country, *own.choice(words.PLACES[country][1])


def _hours(moment: datetime) -> int:
    return int(moment.timestamp()) // 3600
