"""Secrets written in plain text: by the name of the key, or by the look of the value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hourglass.config.document import Location

_NAMES = re.compile(
    r"(^|[_-])(password|passwd|pwd|token|secret|api_?key|access_?key|private_?key|client_?secret|credentials?)$",
    re.IGNORECASE,
)
_LOOKS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bAIza[0-9A-Za-z_-]{35}\b"
    r"|\bgh[pousr]_[0-9A-Za-z]{36,}\b"
    r"|\b[sr]k_(?:live|test)_[0-9A-Za-z]{16,}\b"
    r"|\bxox[abprs]-[0-9A-Za-z-]{10,}"
    r"|\bya29\.[0-9A-Za-z_-]{20,}"
    r"|\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\."
    r"|://[^/\s:@]+:[^/\s:@]+@"
    r"|://\S*[?&](?:api_?key|(?:access_)?token|secret|password)=[^&\s]{6,}"
)
# One of them is in whatever looks like a key; searching for them is twenty times faster.
_MARKS = (
    "PRIVATE KEY", "AKIA", "ASIA", "AIza", "ghp_", "gho_", "ghu_", "ghs_", "ghr_",
    "_live_", "_test_", "xox", "ya29.", "eyJ", "://",
)  # fmt: skip
_ADVICE = (
    "put it into Secret Manager, name it by `secret_name`, and change it, since git keeps what was written"
)


def worth_a_look(data: Any) -> bool:
    """Whether a value may hold a secret or a key without a value: false for nearly every file, and quickly so.

    Args:
        data: A file's plain value.
    """
    keys: list[str] = []
    texts: list[str] = []
    rest: list[Any] = [data]
    while rest:
        value = rest.pop()
        if isinstance(value, dict):
            keys += value
            rest += value.values()
        elif isinstance(value, list):
            rest += value
        elif isinstance(value, str):
            texts.append(value)
        elif value is None:
            return True
    said = "\n".join(texts)
    marks = [mark for mark in _MARKS if mark in said]
    suspects = [text for text in texts if any(mark in text for mark in marks)] if marks else []
    return any(map(_LOOKS.search, suspects)) or any(map(_NAMES.search, keys))


def looks_secret(text: str) -> bool:
    """Whether something in a text has the look of a key or a password."""
    return any(mark in text for mark in _MARKS) and _LOOKS.search(text) is not None


def plain_secrets(data: Any, location: Location = ()) -> Iterator[tuple[Location, str]]:
    """Every value that is a secret, with its place; the message never repeats it.

    Args:
        data: A file's plain value.
        location: Where it is.
    """
    if isinstance(data, dict):
        for key, value in data.items():
            here = (*location, key)
            if isinstance(value, str | int) and not isinstance(value, bool) and _NAMES.search(key):
                yield here, f"{key} is a secret in plain text; {_ADVICE}"
            else:
                yield from plain_secrets(value, here)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from plain_secrets(value, (*location, index))
    elif isinstance(data, str) and looks_secret(data):
        yield location, f"this looks like a key or a password in plain text; {_ADVICE}"
