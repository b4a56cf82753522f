"""Small types that the configuration's models share."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"([0-9]+)\s*([smhd])")


def parse_duration(value: Any) -> timedelta:
    """Read a duration such as `90s`, `10m`, `4h` or `7d`.

    Raises:
        ValueError: The value is something else.
    """
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write a number and s, m, h or d, such as 90s or 4h")
    if len(match[1]) > 6:
        raise ValueError(f"{value!r} is longer than anything that is awaited or kept")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def shown_duration(length: timedelta) -> str:
    """A duration as it is written: the largest unit that leaves a whole number."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def misplaced(key: str, message: str) -> PydanticCustomError:
    """A mistake that a model finds as a whole, and that belongs to one of its keys."""
    return PydanticCustomError("misplaced", "{message}", {"key": key, "message": message})


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    WithJsonSchema(
        {"type": "string", "pattern": r"^\d{1,6}\s*[smhd]$", "examples": ["90s", "10m", "4h", "7d"]}
    ),
]


class Strict(BaseModel):
    """A model that refuses unknown keys and never turns one type into another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
