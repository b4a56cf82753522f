"""How quarantined lines of each format are taken apart, changed, and written as an object of that format."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hourglass.config.ingestion import CsvFormat
from hourglass.partition.repair import Value

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
# A number of a line, as text that keeps every digit of it; no text of a line begins like this.
_MARK = "\x00\x01number:"
_MARKED = re.compile(r'"\\u0000\\u0001number:([-+0-9.eE]+)"')
NUMBERS, BOOLS = ("INT64", "FLOAT64", "NUMERIC"), {"true": True, "false": False, "1": True, "0": False}
STRUCTURED = "structured"  # what a field's kind is called that holds JSON: a record, a list, or JSON itself


class LineError(ValueError):
    """A line that cannot be changed or written; the message says why."""


class Form:
    """The lines of one format."""

    def values(self, raw: bytes) -> dict[str, Value]:
        """A line's values by their names in it.

        Raises:
            LineError: It cannot be taken apart.
        """
        raise NotImplementedError

    def changed(self, raw: bytes, changes: Mapping[str, Value]) -> bytes:
        """The line with other values.

        Args:
            raw: The line.
            changes: New values by name; None takes the value away.

        Raises:
            LineError: There is no place for a value.
        """
        raise NotImplementedError

    def check(self, raw: bytes) -> None:
        """Raise LineError where a line cannot stand in an object of this format."""
        raise NotImplementedError

    def content(self, lines: Sequence[bytes]) -> bytes:
        """An object of these lines, in order."""
        raise NotImplementedError


@dataclass(frozen=True)
class Json(Form):
    """JSON, one event a line.

    Args:
        kinds: The type of each field by its dotted path in the data; `structured` where it holds JSON.
    """

    kinds: Mapping[str, str]

    def values(self, raw: bytes) -> dict[str, Value]:
        """See `Form`; names inside of records are dotted."""
        return dict(_flat(parsed(raw)))

    def changed(self, raw: bytes, changes: Mapping[str, Value]) -> bytes:
        """See `Form`; what is not changed keeps its order and every digit."""
        record = parsed(raw)
        for name, value in changes.items():
            _put(record, name.split("."), self._shaped(name, value))
        return written(record)

    def _shaped(self, name: str, value: Value) -> Any:
        kind = self.kinds.get(name)
        if isinstance(value, str) and kind in NUMBERS and _NUMBER.fullmatch(value.strip()):
            return _MARK + value.strip()
        if kind == "BOOL":
            return BOOLS.get(str(value).lower(), value) if value is not None else None
        if kind == STRUCTURED and isinstance(value, str):
            return _json_or_text(value)
        if kind == "STRING" and isinstance(value, int | float):
            return str(value)
        return value

    def check(self, raw: bytes) -> None:
        """See `Form`."""
        if b"\n" in raw:
            raise LineError("it has a line break, which would make two lines of it")

    def content(self, lines: Sequence[bytes]) -> bytes:
        """See `Form`."""
        return b"".join(line + b"\n" for line in lines)


@dataclass(frozen=True)
class JsonArray(Json):
    """One JSON array, an element an event."""

    def check(self, raw: bytes) -> None:
        """See `Form`."""
        parsed(raw)

    def content(self, lines: Sequence[bytes]) -> bytes:
        """See `Form`."""
        return b"[\n" + b",\n".join(lines) + b"\n]\n"


@dataclass(frozen=True)
class Csv(Form):
    """CSV records of objects that have the same columns.

    Args:
        form: Delimiter, quote and the like.
        columns: Their names, in order.
    """

    form: CsvFormat
    columns: tuple[str, ...] = field(default=())

    def values(self, raw: bytes) -> dict[str, Value]:
        """See `Form`; every value is text."""
        texts = self._split(raw)
        return {
            name: None if text == self.form.null_value else text
            for name, text in zip(self.columns, texts, strict=True)
        }

    def changed(self, raw: bytes, changes: Mapping[str, Value]) -> bytes:
        """See `Form`."""
        texts = dict(zip(self.columns, self._split(raw), strict=True))
        if other := [name for name in changes if name not in texts]:
            raise LineError(f"its object has no column {other[0]!r}; it has {', '.join(self.columns)}")
        texts |= {name: self.form.null_value if v is None else str(v) for name, v in changes.items()}
        return self._joined(list(texts.values()))

    def _split(self, raw: bytes) -> list[str]:
        records = list(csv_records(io.StringIO(_text(raw), newline=""), self.form))
        if len(records) != 1 or len(records[0]) != len(self.columns):
            found = len(records[0]) if len(records) == 1 else f"{len(records)} records of"
            raise LineError(
                f"it has {found} values, its object's header {len(self.columns)}; repair it with --line"
            )
        return records[0]

    def _joined(self, texts: list[str]) -> bytes:
        out = io.StringIO(newline="")
        writer = csv.writer(
            out, delimiter=self.form.delimiter, quotechar=self.form.quote, escapechar=self.form.escape,
            doublequote=self.form.escape is None, lineterminator="",
        )  # fmt: skip
        writer.writerow(texts)
        return out.getvalue().encode()

    def check(self, raw: bytes) -> None:
        """See `Form`."""
        self._split(raw)

    def content(self, lines: Sequence[bytes]) -> bytes:
        """See `Form`; with the header that the lines' own objects have."""
        head = [self._joined(list(self.columns))] if self.form.header else []
        return b"".join(line + b"\n" for line in [*head, *lines])


def csv_records(lines: Any, form: CsvFormat) -> Iterator[list[str]]:
    """The records of a CSV text.

    Args:
        lines: Its lines.
        form: Delimiter, quote and the like.

    Raises:
        LineError: Quotes do not fit.
    """
    try:
        yield from csv.reader(
            lines, delimiter=form.delimiter, quotechar=form.quote, escapechar=form.escape, strict=True
        )
    except csv.Error as error:
        raise LineError(f"it is no CSV record: {error}; repair it with --line") from None


def parsed(raw: bytes) -> dict[str, Any]:
    """A line that is a JSON object, its numbers as marked texts.

    Raises:
        LineError: It is none.
    """
    try:
        record = json.loads(_text(raw), parse_float=_marked, parse_int=_marked, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise LineError(f"it is no JSON ({error}); repair it with --line or --from") from None
    if not isinstance(record, dict):
        raise LineError("it is no JSON object; repair it with --line or --from")
    return record


def written(record: Mapping[str, Any]) -> bytes:
    """The inverse of `parsed`, compact."""
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    try:
        return _MARKED.sub(r"\1", text).encode()
    except UnicodeEncodeError:
        raise LineError("it has half of an escaped surrogate pair; repair it with --line") from None


def zipped(content: bytes, gzipped: bool) -> bytes:
    """The content as the source's objects are compressed; the same content gives the same bytes."""
    return gzip.compress(content, 6, mtime=0) if gzipped else content


def plain(value: Any, number: Any = float) -> Any:
    """A value of `parsed` as Python has it.

    Args:
        value: The value.
        number: Makes a number of text.
    """
    if isinstance(value, dict):
        return {name: plain(inner, number) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner, number) for inner in value]
    if isinstance(value, str) and value.startswith(_MARK):
        text = value.removeprefix(_MARK)
        return int(text) if text.lstrip("-").isdigit() else number(text)
    return value


def _flat(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Value]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        yield f"{above}{name}", _bound(value)


def _bound(value: Any) -> Value:
    if isinstance(value, dict | list):
        return written({"": value}).decode()[4:-1]
    if isinstance(value, bool):
        return "true" if value else "false"
    number: Value = plain(value)
    return number


def _put(record: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *above, name = path
    for step in above:
        inner = {} if record.get(step) is None else record[step]
        record[step] = inner
        if not isinstance(inner, dict):
            raise LineError(f"its {step!r} is no record, so that {'.'.join(path)!r} has no place")
        record = inner
    if value is None:
        record.pop(name, None)
    else:
        record[name] = value


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text, parse_float=_marked, parse_int=_marked, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise LineError(
            f"it is not UTF-8 ({error.reason}); say what it is with --encoding, such as latin-1"
        ) from None


def _marked(text: str) -> str:
    return _MARK + text


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
