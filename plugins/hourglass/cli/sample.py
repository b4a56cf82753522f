"""Read a sample of a source's data, in whatever of the known formats it is."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from hourglass.cli.profile import Profile

MOST_LINES = 50_000
_A_PAGE = 10  # records in one object, from which on the object is taken for a page of them
_KNOWN = "write one object a line, a JSON array, CSV or Parquet"
_DELIMITERS = ",;\t|"
_NUMBERS = {"int", "bigint", "float", "decimal"}
_INT = re.compile(r"-?(0|[1-9]\d{0,38})")
_FLOAT = re.compile(r"-?(0|[1-9]\d*)\.\d+([eE][-+]?\d+)?")
_BOOLS = {"true": True, "false": False}


class SampleError(ValueError):
    """The sample cannot be read, or is in none of the known formats."""


@dataclass(frozen=True)
class Shape:
    """How a sample is written.

    Args:
        kind: json (one object a line), json_array, csv or parquet.
        gzipped: Whether the file is compressed.
        delimiter: What separates the fields of a CSV file.
        header: Whether a CSV file's first record has its columns' names.
    """

    kind: str = "json"
    gzipped: bool = False
    delimiter: str = ","
    header: bool = True


@dataclass(frozen=True)
class Sample:
    """A whole sample.

    Args:
        root: What the records hold.
        lines: How many records were read.
        repeats: How many of the records are exact repeats; they are not counted in `lines`.
        bad: How many lines are no records.
        cut: Whether the file has more records than were read.
        shape: How it is written.
    """

    root: Profile
    lines: int
    repeats: int
    bad: int
    cut: bool
    shape: Shape


def read_sample(path: Path) -> Sample:
    """Read a sample: JSON lines, a JSON array, CSV or Parquet; all but the last plain or gzip.

    Raises:
        SampleError: It cannot be read, or is something else.
    """
    root, seen, repeats, bad, cut = Profile(), set[int](), 0, 0, False
    shape, found = read_records(path)
    for number, value in enumerate(found):
        if number >= MOST_LINES:
            cut = True
            break
        if value is None:
            bad += 1
        elif (mark := hash(repr(value))) in seen:
            repeats += 1
        else:
            seen.add(mark)
            root.add(value)
    if shape.kind == "json" and len(seen) <= 1:
        _refuse_page(path, shape)
    if not seen:
        raise SampleError(f"{path} has no records: {bad} lines, none of them an object; {_KNOWN}")
    if shape.kind == "csv":
        _settle(root)
    return Sample(root, len(seen), repeats, bad, cut, shape)


def read_records(path: Path) -> tuple[Shape, Iterator[dict[str, Any] | None]]:
    """How a file is written, and its records; None stands for a line that is no record.

    Raises:
        SampleError: It cannot be read, or is something else (also while iterating).
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
        gzipped = start[:2] == b"\x1f\x8b"
        if start == b"PAR1":
            return Shape("parquet"), _guarded(path, _parquet(path))
        if start == b"Obj\x01":
            raise SampleError(f"{path} is Avro, of which no schema is inferred; {_KNOWN}")
        with _opened(path, gzipped) as text:
            head = text.read(64 * 1024)
    except FileNotFoundError:
        raise SampleError(f"there is no file {path}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise SampleError(f"{path} cannot be read: {error}") from None
    shape = _text_shape(head, gzipped)
    read = {"json": _lines, "json_array": _array, "csv": _csv}[shape.kind]
    return shape, _guarded(path, read(path, shape))


def _guarded(path: Path, records: Iterator[dict[str, Any] | None]) -> Iterator[dict[str, Any] | None]:
    try:
        yield from records
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise SampleError(f"{path} cannot be read: {error}") from None


def _opened(path: Path, gzipped: bool) -> io.TextIOWrapper:
    opened = gzip.open if gzipped else open
    return io.TextIOWrapper(opened(path, "rb"), "utf-8-sig", errors="replace", newline="")


def _text_shape(head: str, gzipped: bool) -> Shape:
    first = head.lstrip()[:1]
    if first == "[":
        return Shape("json_array", gzipped)
    lines = head.splitlines()
    delimiter = max(_DELIMITERS, key=lines[0].count) if lines else ","
    # A line of text is JSON, with a mistake perhaps, unless it is cut by a delimiter and no line is an object.
    if first in ("", "{") or delimiter not in lines[0] or any(x.startswith("{") for x in lines):
        return Shape("json", gzipped)
    names = next(csv.reader([lines[0]], delimiter=delimiter))
    header = all(n.strip() and not _FLOAT.fullmatch(n) and not _INT.fullmatch(n) for n in names)
    return Shape("csv", gzipped, delimiter, header and len(set(names)) == len(names))


def _lines(path: Path, shape: Shape) -> Iterator[dict[str, Any] | None]:
    with _opened(path, shape.gzipped) as file:
        for line in file:
            if line.strip():
                yield _object(line)


def _object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse_page(path: Path, shape: Shape) -> None:
    """A feed's page, such as GeoJSON's FeatureCollection, is one object around all records.

    Raises:
        SampleError: The whole file is such a page.
    """
    with _opened(path, shape.gzipped) as file:
        try:
            page = json.load(file)
        except (ValueError, RecursionError):
            return
    for name, value in page.items() if isinstance(page, dict) else ():
        if isinstance(value, list) and len(value) >= _A_PAGE and all(isinstance(v, dict) for v in value):
            raise SampleError(
                f"{path} is one object around {len(value)} records in {name!r}; write those one a line, "
                f"for example with jq -c '.{name}[]'"
            )


def _array(path: Path, shape: Shape) -> Iterator[dict[str, Any] | None]:
    with _opened(path, shape.gzipped) as file:
        text = file.read()
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SampleError(f"{path} begins with [ but is no JSON array: {error}") from None
    yield from (value if isinstance(value, dict) else None for value in values)


def _csv(path: Path, shape: Shape) -> Iterator[dict[str, Any] | None]:
    with _opened(path, shape.gzipped) as file:
        rows = csv.reader(file, delimiter=shape.delimiter)
        first = next(rows)
        names = first if shape.header else [f"column_{n}" for n in range(1, len(first) + 1)]
        for row in rows if shape.header else chain([first], rows):
            if row:
                fits = len(row) == len(names)
                yield {n: _value(v) for n, v in zip(names, row, strict=True)} if fits else None


def _value(text: str) -> Any:
    """What a CSV field's text stands for; the empty text for null."""
    if text == "":
        return None
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return _BOOLS.get(text.lower(), text)


def _settle(root: Profile) -> None:
    """Make columns of several kinds text, as which CSV has them anyway."""
    for column in root.fields.values():
        kinds = set(column.kinds)
        times = kinds <= {"timestamp", "zoneless"}
        if len(kinds) > 1 and not kinds <= _NUMBERS and not times:
            column.kinds = Counter(text=column.seen)


def _parquet(path: Path) -> Iterator[dict[str, Any] | None]:
    import pyarrow
    from pyarrow import parquet

    try:
        for batch in parquet.ParquetFile(path).iter_batches(1000):
            yield from batch.to_pylist(maps_as_pydicts="lossy")
    except pyarrow.ArrowException as error:
        raise SampleError(f"{path} cannot be read: {error}") from None
