"""What a sample holds: for every path, how often it is there and what its values look like."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

_DISTINCT = 200_000
# What the refine job reads as a TIMESTAMP, and as a DATE.
_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?P<seconds>:\d{2}(\.\d{1,9})?)?(?P<zone>Z|[+-]\d{2}(:?\d{2})?| UTC)?"
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INT64 = 2**63
# A datetime is a date too, so it stands first.
_KINDS: tuple[tuple[type, str], ...] = (
    (float, "float"),
    (Decimal, "decimal"),
    (datetime, "timestamp"),
    (date, "date"),
    (bytes, "bytes"),
    (dict, "object"),
    (list, "list"),
)


@dataclass
class Profile:
    """What was seen at one path.

    Args:
        seen: How often the key was there with a value.
        nulls: How often it was there with null.
        kinds: How often each kind of value was seen: object, list, bool, int, bigint, float, decimal, text,
            bytes, timestamp, zoneless, date.
        values: The distinct scalar values, while there are few enough to keep.
        low: The lowest number.
        high: The highest number.
        fields: What was seen inside objects.
        items: What was seen inside lists.
    """

    seen: int = 0
    nulls: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    values: set[Any] = field(default_factory=set)
    low: float = float("inf")
    high: float = float("-inf")
    fields: dict[str, Profile] = field(default_factory=dict)
    items: Profile | None = None

    def add(self, value: Any) -> None:
        """Take one value into account."""
        if value is None:
            self.nulls += 1
            return
        self.seen += 1
        kind = kind_of(value)
        self.kinds[kind] += 1
        if isinstance(value, dict):
            for name, inner in value.items():
                self.fields.setdefault(name, Profile()).add(inner)
        elif isinstance(value, list):
            self.items = self.items or Profile()
            for item in value:
                self.items.add(item)
        else:
            self._scalar(value)

    def _scalar(self, value: Any) -> None:
        if len(self.values) < _DISTINCT:
            self.values.add(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            self.low, self.high = min(self.low, value), max(self.high, value)


def kind_of(value: Any) -> str:
    """The kind of one value that is not null."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -_INT64 <= value < _INT64 else "bigint"
    if isinstance(value, str):
        return _kind_of_text(value)
    return next((kind for python, kind in _KINDS if isinstance(value, python)), "text")


def _kind_of_text(text: str) -> str:
    try:
        if _DATE.fullmatch(text):
            date.fromisoformat(text)
            return "date"
        if match := _TIMESTAMP.fullmatch(text):
            datetime.fromisoformat(text[:19] if match["seconds"] else text[:16])
            return "timestamp" if match["zone"] else "zoneless"
    except ValueError:
        return "text"
    return "text"
