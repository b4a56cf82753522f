"""How features are laid out in Bigtable: row keys, cell values, and the head row that readers follow. Pure.

A row holds one entity's features of one as-of time (or of a span of as-of times, for a family that keeps
several versions). Its key begins with a hash, which spreads entities evenly over the key space, and ends with
the reversed time, so that a scan of one entity sees the newest row first.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import groupby
from typing import Any, Literal, Self

FeatureType = str | list["FeatureType"] | dict[str, "FeatureType"]
"""A BigQuery type; a list of one type for ARRAY; names and types for STRUCT."""
Mode = Literal["upsert", "snapshot"]

_LAST_MS = 9_999_999_999_999  # 13 digits of milliseconds: until the year 2286
_LAST_ATTEMPT = 999_999


@dataclass(frozen=True, order=True, slots=True)
class Generation:
    """One push of a snapshot: a newer as-of time wins, then a later attempt.

    Args:
        as_of_ms: The partition's end, milliseconds since the epoch.
        attempt: The number of the push of this partition, from 1.
    """

    as_of_ms: int
    attempt: int

    def __str__(self) -> str:
        return f"{self.as_of_ms:013d}.{self.attempt:06d}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote."""
        as_of, _, attempt = text.partition(".")
        return cls(int(as_of), int(attempt))

    @property
    def suffix(self) -> str:
        """The end of the row keys of this generation; the newest generation sorts first."""
        return f"{_LAST_MS - self.as_of_ms:013d}.{_LAST_ATTEMPT - self.attempt:06d}"


def suffix(as_of_ms: int, span_ms: int = 0) -> str:
    """The end of the row keys of an as-of time; the newest time sorts first.

    Args:
        as_of_ms: Milliseconds since the epoch.
        span_ms: How many milliseconds of as-of times share a row; 0 means that each has its own.
    """
    end = as_of_ms if span_ms == 0 else -(-as_of_ms // span_ms) * span_ms
    return f"{_LAST_MS - end:013d}"


def entity_prefix(entity: str) -> bytes:
    """`hash4#entity#`: what all rows of one entity begin with, and no row of another entity."""
    escaped = entity.replace("%", "%25").replace("#", "%23")
    return f"{hashlib.sha256(entity.encode()).hexdigest()[:4]}#{escaped}#".encode()


def row_key(entity: str, end: str) -> bytes:
    """`hash4#entity#time`: four hexadecimal digits of SHA-256, the entity (`#` as `%23`), the reversed time.

    Args:
        entity: The entity.
        end: What `suffix` or `Generation.suffix` gives.
    """
    return entity_prefix(entity) + end.encode()


def entity_of(key: bytes) -> str:
    """The entity of a row key."""
    return key.decode().split("#")[1].replace("%23", "#").replace("%25", "%")


def head_key(family: str) -> bytes:
    """The key of a feature set's head row; it sorts after all entities."""
    return f"~head#{family}".encode()


@dataclass(frozen=True)
class Head:
    """What readers must know of a feature set: how its rows are found and what its values mean.

    In snapshot mode it is also the pointer: only rows of its generation are there for readers.

    Args:
        mode: How the set is pushed.
        generation: The as-of time and the attempt that wrote it.
        span_ms: How many milliseconds of as-of times share a row.
        types: The features' BigQuery types.
    """

    mode: Mode
    generation: Generation
    span_ms: int
    types: dict[str, FeatureType]

    def to_json(self) -> bytes:
        """The head cell's value."""
        document = {"mode": self.mode, "span_ms": self.span_ms, "types": self.types}
        return json.dumps({**document, "generation": str(self.generation)}).encode()

    @classmethod
    def from_json(cls, value: bytes) -> Self:
        """Read a head cell."""
        document = json.loads(value)
        generation = Generation.parse(document["generation"])
        return cls(document["mode"], generation, document["span_ms"], document["types"])


def cell_value(value: Any) -> bytes:
    """A feature's value as compact JSON text, readable by every client and by `cbt`.

    Raises:
        TypeError: The value has no JSON form.
    """
    return json.dumps(value, default=_plain, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat() if value.tzinfo is None else _utc_text(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(
        f"a feature of type {type(value).__name__} has no JSON form; cast it in the feature set's SQL"
    )


def _utc_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


_READ: dict[str, Callable[[Any], Any]] = {
    "FLOAT": float,
    "FLOAT64": float,
    "NUMERIC": Decimal,
    "BIGNUMERIC": Decimal,
    "TIMESTAMP": datetime.fromisoformat,
    "DATETIME": datetime.fromisoformat,
    "DATE": date.fromisoformat,
    "TIME": time.fromisoformat,
    "BYTES": base64.b64decode,
}


def feature_value(cell: bytes, kind: FeatureType | None) -> Any:
    """A cell's value with its BigQuery type: TIMESTAMP as datetime, NUMERIC as Decimal and so on.

    Args:
        cell: The cell, as `cell_value` wrote it.
        kind: The feature's type; None when the set no longer has the feature, whose value is then plain JSON.
    """
    return _typed(json.loads(cell), kind)


def _typed(value: Any, kind: FeatureType | None) -> Any:
    if value is None or kind is None:
        return value
    if isinstance(kind, list) and isinstance(value, list):
        return [_typed(item, kind[0]) for item in value]
    if isinstance(kind, dict) and isinstance(value, dict):
        return {name: _typed(item, kind.get(name)) for name, item in value.items()}
    read = _READ.get(kind) if isinstance(kind, str) else None
    if read is None:
        return value
    try:
        return read(value)
    except (TypeError, ValueError):  # a row from before the feature's type was changed
        return value


def gone(earlier: Iterable[Iterable[str]], now: Iterable[Iterable[str]]) -> Iterator[str]:
    """The entities that earlier pushes may have written and this one has not, in bounded memory.

    Args:
        earlier: Entities of earlier pushes, in parts that are sorted by themselves.
        now: Entities of this push, likewise.
    """
    there = ((entity, True) for entity in heapq.merge(*now))
    before = ((entity, False) for entity in heapq.merge(*earlier))
    for entity, group in groupby(heapq.merge(there, before), key=lambda pair: pair[0]):
        if not any(kept for _, kept in group):
            yield entity
