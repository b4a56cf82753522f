"""What a sample of JSON lines holds: for every path, how often it is there and what its values look like."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

MOST_LINES = 50_000
ONLY_LINES = "write one object a line (arrays, CSV, Parquet and Avro are not available in this version)"
_DISTINCT = 200_000
# What the refine job reads as a TIMESTAMP, and as a DATE.
_TIMESTAMP = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?P<seconds>:\d{2}(\.\d{1,9})?)?(?P<zone>Z|[+-]\d{2}(:?\d{2})?| UTC)?"
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INT64 = 2**63


class SampleError(ValueError):
    """The sample is not a file of JSON lines."""


@dataclass
class Profile:
    """What was seen at one path.

    Args:
        seen: How often the key was there with a value.
        nulls: How often it was there with null.
        kinds: How often each kind of value was seen: object, list, bool, int, bigint, float, text, timestamp,
            zoneless, date.
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


@dataclass(frozen=True)
class Sample:
    """A whole sample.

    Args:
        root: What the objects hold.
        lines: How many objects were read.
        repeats: How many of the lines are exact repeats; they are not counted in `lines`.
        bad: How many lines are no JSON objects.
        gzipped: Whether the file is compressed.
        cut: Whether the file has more lines than were read.
    """

    root: Profile
    lines: int
    repeats: int
    bad: int
    gzipped: bool
    cut: bool


def read_sample(path: Path) -> Sample:
    """Read a file of JSON lines, plain or gzip.

    Raises:
        SampleError: It cannot be read, or is something else.
    """
    root, seen, repeats, bad, cut = Profile(), set[int](), 0, 0, False
    try:
        gzipped = path.open("rb").read(2) == b"\x1f\x8b"
        for number, line in enumerate(_lines(path, gzipped)):
            if number >= MOST_LINES:
                cut = True
                break
            if number == 0 and line.lstrip().startswith(b"["):
                raise SampleError(f"{path} is a JSON array; {ONLY_LINES}")
            value = _parsed(line)
            if not isinstance(value, dict):
                bad += 1
            elif (mark := hash(line)) in seen:
                repeats += 1
            else:
                seen.add(mark)
                root.add(value)
    except FileNotFoundError:
        raise SampleError(f"there is no file {path}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise SampleError(f"{path} cannot be read: {error}") from None
    if not seen:
        raise SampleError(f"{path} has no JSON lines: {bad} lines, none of them an object; {ONLY_LINES}")
    return Sample(root, len(seen), repeats, bad, gzipped, cut)


def _lines(path: Path, gzipped: bool) -> Iterator[bytes]:
    with gzip.open(path) if gzipped else path.open("rb") as file:
        yield from (line for line in file if line.strip())


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def kind_of(value: Any) -> str:
    """The kind of one JSON value that is not null."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -_INT64 <= value < _INT64 else "bigint"
    if isinstance(value, str):
        return _kind_of_text(value)
    if isinstance(value, float):
        return "float"
    return "object" if isinstance(value, dict) else "list"


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
