"""CSV objects: each record becomes the JSON text that the rest of the job judges. Plain Python, no Spark.

Python's own reader finds where records end; the lines it took for one are the record as it was read.
"""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from json.encoder import encode_basestring as text_of

from hg_gzip import BOM, Unfinished
from hg_spec import Csv, Field

LIMIT = 16 * 1024 * 1024  # characters of one value; a quote that nobody closes is given up after that many
MALFORMED, TRUNCATED, NOT_UTF8 = "malformed_csv", "truncated_gzip", "invalid_utf8"
_INT = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BLANK = b" \t\r\n"
Convert = Callable[[str], str]


@dataclass(frozen=True)
class Record:
    """One record: its JSON text or, where it has a fault, its raw text as `value`; `raw` None when that is `value`."""

    value: bytes
    raw: bytes | None
    fault: str | None


class _Lines:
    """The lines of an object, one at a time; remembers those taken since `taken` was emptied."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self._again: deque[bytes] = deque()
        self.taken: list[bytes] = []
        self.unfinished: bytes | None = None

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._next()
        self.taken.append(line)
        return line.decode("utf-8", "surrogateescape")

    def _next(self) -> bytes:
        if self.unfinished is not None:
            raise StopIteration
        try:
            return next(self._lines)
        except Unfinished as end:
            self.unfinished = end.rest
            raise StopIteration from None

    def give_back(self, lines: list[bytes]) -> None:
        """Have lines read again."""
        self._again.extendleft(reversed(lines))


def records(lines: Iterable[bytes], how: Csv, fields: tuple[Field, ...]) -> Iterator[Record]:
    """The records of one object.

    Args:
        lines: the object's lines with their line feeds; hg_gzip.Unfinished ends those of a damaged object.
        how: how the records are written.
        fields: the schema's fields as the data has them.

    Yields:
        Every record but the header. Of what cannot be split into values the first line is a record of its own, and
        the next line is tried again.
    """
    source = _Lines(_without_mark(lines))
    layout: list[tuple[str, Convert]] | None = None
    if not how.header:
        layout = [(f.name, converter(f)) for f in fields]
    headless = how.header
    for raw, values in _split(source, how):
        if headless and raw.strip(_BLANK):
            headless = False
            layout = _layout(values, fields)
            if layout is None:
                yield Record(raw, None, MALFORMED)
            continue
        yield _record(raw, values, layout, how.null_value)
    if source.unfinished is not None:
        yield Record(b"".join([*source.taken, source.unfinished]), None, TRUNCATED)


def _without_mark(lines: Iterable[bytes]) -> Iterator[bytes]:
    first = True
    for line in lines:
        yield line.removeprefix(BOM) if first else line
        first = False


def _split(source: _Lines, how: Csv) -> Iterator[tuple[bytes, list[str] | None]]:
    """(raw text, values) of each record; values None when its first line does not begin a record."""
    csv.field_size_limit(LIMIT)
    reader = csv.reader(
        source,
        delimiter=how.delimiter,
        quotechar=how.quote,
        escapechar=how.escape,
        quoting=csv.QUOTE_MINIMAL if how.quote else csv.QUOTE_NONE,
        strict=True,
    )
    while True:
        source.taken = []
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error:
            if source.unfinished is not None and not source._again:
                return  # the object ends inside of quotes
            first, *others = source.taken
            source.give_back(others)
            yield _ended(first), None
            continue
        yield _ended(b"".join(source.taken)), values


def _ended(raw: bytes) -> bytes:
    return raw.removesuffix(b"\n").removesuffix(b"\r")


def _layout(values: list[str] | None, fields: tuple[Field, ...]) -> list[tuple[str, Convert]] | None:
    """The columns of an object, None when its first record cannot be a header."""
    known = {f.name: f for f in fields}
    if values is None or len(set(values)) < len(values) or not known.keys() & set(values):
        return None
    if any(not name.isprintable() for name in values):
        return None  # half of a character, which no column can be called
    return [(name, converter(known[name]) if name in known else text_of) for name in values]


def _record(
    raw: bytes, values: list[str] | None, layout: list[tuple[str, Convert]] | None, null: str
) -> Record:
    if not raw.strip(_BLANK) and not (values and layout and len(values) == len(layout)):
        return Record(raw, None, None)  # judged as a blank line
    if values is None or layout is None or len(values) != len(layout):
        return Record(raw, None, MALFORMED)
    parts = [
        f"{text_of(name)}:{convert(value)}"
        for (name, convert), value in zip(layout, values, strict=True)
        if value != null
    ]
    try:
        return Record(f"{{{','.join(parts)}}}".encode(), raw, None)
    except UnicodeEncodeError:
        return Record(raw, None, NOT_UTF8)


def converter(field: Field) -> Convert:
    """What makes JSON text of a column's text; a text that does not fit the type becomes a JSON string."""
    if field.repeated or field.fields:
        return _json
    return _CONVERTERS.get(field.type, text_of)


def _int(text: str) -> str:
    return str(int(text)) if len(text) <= 20 and _INT.fullmatch(text) else text_of(text)


def _float(text: str) -> str:
    number = float(text) if _NUMBER.fullmatch(text) else float("inf")
    return repr(number) if abs(number) != float("inf") else text_of(text)


def _numeric(text: str) -> str:
    # Spark reads the text "1,5" as 15; in a list it is no number.
    return text_of(text) if _NUMBER.fullmatch(text) else f"[{text_of(text)}]"


def _bool(text: str) -> str:
    return _BOOLS.get(text.lower(), text_of(text))


def _json(text: str) -> str:
    try:
        json.loads(text, parse_constant=_refused, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return text_of(text)
    return text


def _refused(name: str) -> None:
    raise ValueError(name)


_BOOLS = {"true": "true", "false": "false", "1": "true", "0": "false"}
_CONVERTERS: dict[str, Convert] = {
    "INT64": _int,
    "INTEGER": _int,
    "FLOAT64": _float,
    "FLOAT": _float,
    "NUMERIC": _numeric,
    "BOOL": _bool,
    "BOOLEAN": _bool,
    "JSON": _json,
}
