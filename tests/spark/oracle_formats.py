"""How CSV objects and JSON arrays fall into records, character by character and without any of the job's code."""

from __future__ import annotations

import json
from typing import Any

Split = list[tuple[str, list[str] | None]]


def csv_records(text: str, delimiter: str = ",", quote: str = '"') -> Split:
    """(raw text, values) of each record; values None for a line that does not begin one."""
    found: Split = []
    at = 0
    while at < len(text):
        end, values = _record(text, at, delimiter, quote)
        if values is None:
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
        found.append((text[at:end].removesuffix("\r"), values))
        at = end + 1
    return found


def _record(text: str, at: int, delimiter: str, quote: str) -> tuple[int, list[str] | None]:
    if text[at : at + 1] == "\n":
        return at, []
    values: list[str] = []
    while True:
        at, value = _value(text, at, delimiter, quote)
        if value is None:
            return at, None
        values.append(value)
        if at >= len(text) or text[at] == "\n":
            return at, values
        at += 1


def _value(text: str, at: int, delimiter: str, quote: str) -> tuple[int, str | None]:
    if text[at : at + 1] != quote:
        ends = [end for end in (text.find(delimiter, at), text.find("\n", at)) if end >= 0]
        end = min(ends, default=len(text))
        return end, text[at:end]
    value, at = "", at + 1
    while at < len(text):
        if text[at] != quote:
            value += text[at]
        elif text[at + 1 : at + 2] == quote:
            value, at = value + quote, at + 1
        else:
            at += 1
            good = at >= len(text) or text[at] in (delimiter, "\n")
            return at, value if good else None
        at += 1
    return at, None


def array_elements(text: str) -> tuple[list[str], str | None]:
    """The texts of the elements, and the rest of an object that does not end as an array (None when it does)."""
    space = " \t\r\n"
    start = text.lstrip(space)
    if not start:
        return [], None
    if start[0] != "[":
        return [], start
    found: list[str] = []
    at = len(text) - len(start) + 1
    if text[at:].lstrip(space)[:1] == "]":
        return [], text[at:].lstrip(space)[1:].strip(space) or None
    while True:
        end = _end(text, at)
        if end is None or not text[at:end].strip(space):
            return found, text[at:].lstrip(space)
        found.append(text[at:end].strip(space))
        at = end + 1
        if text[end] == "]":
            return found, text[at:].lstrip(space) or None


def _end(text: str, at: int) -> int | None:
    depth: list[str] = []
    inside = False
    while at < len(text):
        mark = text[at]
        if inside:
            at += mark == "\\"
            inside = mark != '"'
        elif mark == '"':
            inside = True
        elif not depth and mark in ",]":
            return at
        elif mark in "[{":
            depth.append({"[": "]", "{": "}"}[mark])
        elif mark in "]}" and (not depth or depth.pop() != mark):
            return None
        at += 1
    return None


def csv_row(header: list[str], values: list[str], types: dict[str, str]) -> dict[str, Any]:
    """The values that a record without faults holds, as JSON would have them."""
    return {n: _typed(v, types.get(n, "STRING")) for n, v in zip(header, values, strict=True) if v != ""}


def _typed(value: str, kind: str) -> Any:
    digits = value.removeprefix("-")
    if kind == "INT64" and digits.isascii() and digits.isdigit():
        return int(value)
    if kind == "BOOL" and value in ("true", "false", "0", "1"):
        return value in ("true", "1")
    if kind == "JSON":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
