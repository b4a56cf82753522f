"""A text that a regular expression matches, for the expressions that rules are usually written in."""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from hourglass.generate.draw import Draw

_MOST = 8  # of what an expression allows without an end
_CATEGORIES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_letters + string.digits + "_",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_SPACE": string.ascii_lowercase,
    "CATEGORY_NOT_DIGIT": string.ascii_lowercase,
    "CATEGORY_NOT_WORD": "-",
}
_PLAIN = string.ascii_lowercase + string.digits
_PRINTABLE = string.ascii_letters + string.digits + "_-. "


def text_for(pattern: str, draw: Draw) -> str | None:
    """A text that the pattern matches; None for an expression that goes beyond the usual."""
    try:
        text = "".join(_item(item, draw) for item in parser.parse(pattern))
        return text if re.search(pattern, text) else None
    except (KeyError, re.error):
        return None


def _item(item: Any, draw: Draw) -> str:
    kind, value = item
    return _MAKERS[str(kind)](value, draw)


def _many(value: Any, draw: Draw) -> str:
    low, high, inner = value
    times = draw.whole(int(low), min(int(high), int(low) + _MOST))
    return "".join(_item(item, draw) for _ in range(times) for item in inner)


def _set(value: Any, draw: Draw) -> str:
    allowed = "".join(_members(kind, inner) for kind, inner in value if str(kind) != "NEGATE")
    if str(value[0][0]) == "NEGATE":
        allowed = "".join(mark for mark in _PLAIN if mark not in allowed) or "~"
    return draw.choice(allowed)


def _members(kind: Any, value: Any) -> str:
    if str(kind) == "LITERAL":
        return chr(value)
    if str(kind) == "RANGE":
        return "".join(chr(code) for code in range(value[0], value[1] + 1))
    return _CATEGORIES[str(value)]


def _branch(value: Any, draw: Draw) -> str:
    return "".join(_item(item, draw) for item in draw.choice(value[1]))


_MAKERS: dict[str, Callable[[Any, Draw], str]] = {
    "LITERAL": lambda value, draw: chr(value),
    "NOT_LITERAL": lambda value, draw: draw.choice([mark for mark in _PLAIN if ord(mark) != value]),
    "ANY": lambda value, draw: draw.choice(_PRINTABLE),
    "IN": _set,
    "BRANCH": _branch,
    "MAX_REPEAT": _many,
    "MIN_REPEAT": _many,
    "SUBPATTERN": lambda value, draw: "".join(_item(item, draw) for item in value[3]),
    "AT": lambda value, draw: "",
}
