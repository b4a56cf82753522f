"""Cron expressions: are they one at all, and what is wrong if not?"""

from __future__ import annotations

import re

from hourglass.partition import Grain

_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES = {name: number for number, name in [*enumerate(_MONTHS, 1), *enumerate(_DAYS)]}
_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?")
_PRESETS = ("@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually")


def check_schedule(schedule: str) -> None:
    """Check that a schedule is a cron expression that fires.

    Raises:
        ValueError: It is none, or never fires.
    """
    if reason := _reason(schedule):
        raise ValueError(
            f"schedule {schedule!r} is not a cron expression: {reason}; "
            "write one such as '0 * * * *' (hourly), '0 2 * * *' (daily at 2) or '*/15 * * * *'"
        )
    try:
        Grain.of(schedule)
    except ValueError:
        raise ValueError(f"schedule {schedule!r} never fires; correct its day or its month") from None


def _reason(schedule: str) -> str | None:
    if schedule.startswith("@"):
        return None if schedule in _PRESETS else f"there is no {schedule}"
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        return f"it has {len(fields)} fields instead of 5 (minute, hour, day, month, day of the week)"
    for text, (name, low, high) in zip(fields, _FIELDS, strict=True):
        if not all(_fits(part, low, high) for part in text.split(",")):
            return f"{text!r} is no {name} ({low} to {high})"
    return None


def _fits(part: str, low: int, high: int) -> bool:
    match = _PART.fullmatch(part.lower())
    if match is None or match[4] == "0":
        return False
    ends = [_number(match[2]), _number(match[3] or match[2])] if match[2] else [low, high]
    return all(end is not None and low <= end <= high for end in ends) and (ends[0] or 0) <= (ends[1] or 0)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else _NAMES.get(text)
