"""How features are laid out in Bigtable: row keys, cell values and the record of a push. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Self


def row_key(entity: str) -> bytes:
    """`hash4#entity`: four hexadecimal digits of SHA-256 spread entities evenly over the key space."""
    return f"{hashlib.sha256(entity.encode()).hexdigest()[:4]}#{entity}".encode()


def cell_value(value: Any) -> bytes:
    """A feature's value as compact JSON text, readable by every client and by `cbt`.

    Raises:
        TypeError: The value has no JSON form.
    """
    return json.dumps(value, default=_plain, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(
        f"a feature of type {type(value).__name__} has no JSON form; cast it in the feature set's SQL"
    )


@dataclass(frozen=True)
class PushRecord:
    """Which cells a partition's pushes may have written, kept beside the manifest.

    It is written before the first cell with everything that an earlier push may have left, and again after
    the last one with what is really there. So a push that was killed half-way still leaves a record of all
    it may have written, and the next push of the same partition removes what it no longer has.

    Args:
        entities: The entities.
        features: The names of the features, which are the column qualifiers.
    """

    entities: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()

    def union(self, other: PushRecord) -> PushRecord:
        """What either push may have written."""
        return PushRecord(self.entities | other.entities, self.features | other.features)

    def to_json(self) -> str:
        """The record's file content."""
        return json.dumps({"features": sorted(self.features), "entities": sorted(self.entities)})

    @classmethod
    def from_json(cls, text: str | None) -> Self:
        """Read a record; no file is an empty record."""
        if text is None:
            return cls()
        document = json.loads(text)
        return cls(frozenset(document["entities"]), frozenset(document["features"]))
