"""Small types that the configuration's models share."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION = re.compile(r"(\d+)\s*([smhd])")


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
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class Strict(BaseModel):
    """A model that refuses unknown keys and never turns one type into another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
