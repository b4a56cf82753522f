"""Names that BigQuery takes, and what can be said of a field without knowing what it means."""

from __future__ import annotations

import re
from collections.abc import Collection

from hourglass.cli.profile import Profile

_FEW = 12  # different values that a description lists
_LONG = 30  # characters of a value, from which on it is text rather than a word of a vocabulary
_OFTEN = 5  # times that each value of a vocabulary is there on average
# BigQuery keeps names that begin so to itself.
_KEPT = re.compile(r"_(table|file|partition|row_timestamp|colidentifier)|__root__", re.IGNORECASE)


def legal_name(key: str, taken: Collection[str]) -> str:
    """A column's name for a key: itself where BigQuery allows that and no other field has it.

    Args:
        key: The key in the data.
        taken: Names that others have, in lower case.
    """
    name = re.sub(r"[^A-Za-z0-9_]+", "_", key)
    name = name if name == key else name.strip("_") or "field"
    if name[0].isdigit() or _KEPT.match(name):
        name = f"f_{name.lstrip('_')}"
    name = name[:290]
    if name.lower() not in taken:
        return name
    numbers = (f"{name}_{n}" for n in range(2, len(taken) + 3))
    return next(n for n in numbers if n.lower() not in taken)


def snake(path: str) -> str:
    """A path as one name in lower case: `properties.updatedAt` becomes `properties_updated_at`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", path.replace(".", "_")).lower()


def described(key: str, profile: Profile, kind: str, *, personal: bool) -> str:
    """A field's description: its name in words, and its values where they are a small vocabulary.

    Args:
        key: The key in the data.
        profile: What was seen there.
        kind: The field's type.
        personal: Whether its values must not be written down.
    """
    words = re.sub(r"[^A-Za-z0-9]+", " ", snake(key)).strip().capitalize() or "Value"
    profile = profile.items if profile.kinds["list"] and profile.items else profile
    values = {value for value in profile.values if isinstance(value, str)}
    if kind != "STRING" or personal or not values or len(values) * _OFTEN > profile.seen:
        return words
    if len(values) > _FEW or any(len(value) > _LONG for value in values):
        return words
    return f"{words}, such as {', '.join(sorted(value or repr(value) for value in values))}"
