"""Looks at a single line with Python's own JSON reader: for the few lines that need more than Spark tells.

No Spark here, so that it runs in an executor's Python worker and in a plain unit test alike.
"""

from __future__ import annotations

import json
import re
import sys
from base64 import b64decode
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from json import decoder
from typing import Any

from hg_spec import Field

# Only the ends of values are asked for, so numbers of any length are left unread.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_SPACE = re.compile(r"[ \t\r\n]*")
_TIMESTAMP = re.compile(
    r"\d{4}-\d\d-\d\d[T ]{0,2}([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?(\.\d{1,9})?(Z|[+-]\d\d(:?\d\d)?)?( UTC)?"
)
FIRST_SECOND, LAST_SECOND = -62135596800, 253402300799  # the years 1 to 9999
INT64_MAX = 2**63 - 1
FLOAT64_LIMIT = Decimal("1.797693134862315808e308")  # from here on a double is infinite
NUMERIC_LIMIT = Decimal("1e29")
DEEPEST = 5000  # Spark reads JSON 1,000 levels deep, about twice as deep as Python does unasked


def unknown_text(line: bytes, fields: tuple[Field, ...]) -> str | None:
    """The fields of a JSON object that the schema does not name, as JSON text.

    Values are cut out of the line, so numbers and strings keep their exact spelling. A field inside a record
    stays inside it; in a repeated record each element keeps its place ({} for one without unknown fields).

    Args:
        line: one valid JSON object.
        fields: the schema's fields as the data has them.

    Returns:
        A JSON object's text, or None when the schema names every field.
    """
    allow_depth()
    text = line.decode("utf-8")
    return _object(text, skip(text, 0), fields)


def allow_depth() -> None:
    """Let Python read JSON as deep as Spark does."""
    if sys.getrecursionlimit() < DEEPEST:
        sys.setrecursionlimit(DEEPEST)


def skip(text: str, at: int) -> int:
    """Where the white space at `at` ends."""
    match = _SPACE.match(text, at)
    return match.end() if match else at


def members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """(key, start, end) of each member's value of the object that begins at `at`."""
    at = skip(text, at + 1)
    while text[at] != "}":
        key, at = decoder.scanstring(text, at + 1)  # type: ignore[attr-defined]
        start = skip(text, skip(text, at) + 1)
        end = _DECODER.raw_decode(text, start)[1]
        yield key, start, end
        at = skip(text, end)
        if text[at] == ",":
            at = skip(text, at + 1)


def _object(text: str, at: int, fields: tuple[Field, ...]) -> str | None:
    known = {f.name: f for f in fields}
    kept: dict[str, str] = {}
    for key, start, end in members(text, at):
        kept.pop(key, None)  # the last of two equal keys counts, as in Spark
        if key not in known:
            kept[key] = text[start:end]
        elif known[key].fields:
            inner = _value(text, start, known[key].fields)
            if inner is not None:
                kept[key] = inner
    return object_text(kept) if kept else None


def object_text(members: dict[str, str]) -> str:
    """The JSON text of an object whose values are JSON text."""
    return (
        "{"
        + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{value}" for key, value in members.items())
        + "}"
    )


def _value(text: str, at: int, fields: tuple[Field, ...]) -> str | None:
    if text[at] == "{":
        return _object(text, at, fields)
    if text[at] != "[":
        return None
    items = [_value(text, start, fields) for start in elements(text, at)]
    if all(item is None for item in items):
        return None
    return "[" + ",".join(item or "{}" for item in items) + "]"


def elements(text: str, at: int) -> Iterator[int]:
    """Where each element of the list that begins at `at` starts."""
    at = skip(text, at + 1)
    while text[at] != "]":
        yield at
        at = skip(text, _DECODER.raw_decode(text, at)[1])
        if text[at] == ",":
            at = skip(text, at + 1)


def offending_field(line: bytes, fields: tuple[Field, ...]) -> str | None:
    """The dotted path of the first field, in the schema's order, whose JSON value does not fit its type.

    Args:
        line: a line that is one JSON value.
        fields: the schema's fields.

    Returns:
        The path, or None when the line is no object or no field is to blame.
    """
    allow_depth()
    try:
        row = json.loads(line.decode("utf-8"), parse_float=Decimal)
    except (ArithmeticError, ValueError, RecursionError):
        return None
    return _offender(row, fields, "") if isinstance(row, dict) else None


def _offender(row: dict[str, Any], fields: tuple[Field, ...], path: str) -> str | None:
    for field in fields:
        value: Any = row
        for key in field.source:
            if value is not None and not isinstance(value, dict):
                return path + field.name
            value = value and value.get(key)
        wrong = _misfit(value, field, path + field.name)
        if wrong:
            return wrong
    return None


def _misfit(value: Any, field: Field, name: str) -> str | None:
    if value is None:
        return None
    if field.repeated and not isinstance(value, list):
        return name
    for item in value if field.repeated else [value]:
        wrong = None if item is None else _wrong(item, field, name)
        if wrong:
            return wrong
    return None


def fits(value: Any, field: Field) -> bool:
    """Whether a JSON value (numbers with a fraction as Decimal) fits a field that is no RECORD."""
    return _misfit(value, field, field.name) is None


def _wrong(value: Any, field: Field, name: str) -> str | None:
    if field.fields:
        return _offender(value, field.fields, name + ".") if isinstance(value, dict) else name
    check = _CHECKS.get(field.type)
    return name if check and not check(value) else None


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -INT64_MAX - 1 <= value <= INT64_MAX


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _is_float(value: Any) -> bool:
    return _is_number(value) and -FLOAT64_LIMIT < value < FLOAT64_LIMIT


def _is_numeric(value: Any) -> bool:
    if isinstance(value, str):
        try:
            value = Decimal(value)
        except ArithmeticError:
            return False
    return _is_number(value) and -NUMERIC_LIMIT < value < NUMERIC_LIMIT


def _is_timestamp(value: Any) -> bool:
    if _is_int(value):
        return bool(FIRST_SECOND <= value <= LAST_SECOND)
    return isinstance(value, str) and bool(_TIMESTAMP.fullmatch(value)) and _is_date(value[:10])


def _is_date(value: Any) -> bool:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return len(value) == 10


def _is_bytes(value: Any) -> bool:
    try:
        b64decode(value, validate=True)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    return not isinstance(value, Decimal) or _is_float(value)


_CHECKS = {
    "JSON": _is_json,
    "STRING": lambda value: not isinstance(value, dict | list),
    "INT64": _is_int,
    "INTEGER": _is_int,
    "FLOAT64": _is_float,
    "FLOAT": _is_float,
    "BOOL": lambda value: isinstance(value, bool),
    "BOOLEAN": lambda value: isinstance(value, bool),
    "NUMERIC": _is_numeric,
    "TIMESTAMP": _is_timestamp,
    "DATE": _is_date,
    "BYTES": _is_bytes,
}
