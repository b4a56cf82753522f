"""Does a rule make sense for its field? Bounds, patterns and types, before any row is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hourglass.config.schema import SchemaField

_NUMBERS = ("INT64", "FLOAT64", "NUMERIC")
_TYPES: dict[str, tuple[str, ...]] = {
    "valid_email": ("STRING",),
    "regex": ("STRING", "JSON"),
    "length": ("STRING", "JSON", "BYTES"),
    "positive_number": _NUMBERS,
    "between": _NUMBERS,
    "in_set": ("STRING", "BOOL", *_NUMBERS),
    "not_in_future": ("TIMESTAMP", "DATE"),
    "max_age": ("TIMESTAMP", "DATE"),
}
_VALUE_TYPES: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "BOOL": (bool,),
    "INT64": (int,),
    "FLOAT64": (int, float),
    "NUMERIC": (int, float),
}
# Sound in Spark's Java patterns, and unknown to Python's `re`.
_JAVA = re.compile(r"\\[pPQERhHXGzk]|\(\?<\w+>|&&|\(\?[a-zA-Z]*[dUu]|\[[^\]]*\[")

Finding = tuple[tuple[str | int, ...], str]


def rule_problems(rule: Mapping[str, Any], paths: Mapping[str, SchemaField]) -> Iterator[Finding]:
    """What is wrong with one rule.

    Args:
        rule: The rule as written, of any shape.
        paths: The schema's fields by their dotted path; empty when the schema could not be read.

    Yields:
        The place inside the rule, and the message.
    """
    yield from _own_problems(rule)
    check, name = rule.get("check"), rule.get("field")
    field = paths.get(name) if isinstance(name, str) else None
    if field is None or not isinstance(check, str) or not isinstance(name, str) or check == "expression":
        return
    if list_name := repeated_above(name, paths):
        if list_name == name and check == "not_null":
            return
        yield (
            ("field",),
            f"{name!r} is a list or inside one (REPEATED {list_name}); write a check `expression`, "
            f"such as forall({list_name}, x -> …)",
        )
        return
    yield from _type_problems(rule, check, name, field.type)


def repeated_above(name: str, paths: Mapping[str, SchemaField]) -> str | None:
    """The REPEATED field that a path is or leads through."""
    parts = name.split(".")
    for n in range(1, len(parts) + 1):
        path = ".".join(parts[:n])
        if path in paths and paths[path].mode == "REPEATED":
            return path
    return None


def _own_problems(rule: Mapping[str, Any]) -> Iterator[Finding]:
    low, high, pattern = rule.get("min"), rule.get("max"), rule.get("pattern")
    if _is_number(low) and _is_number(high) and low > high:  # type: ignore[operator]
        yield ("min",), f"min {low} is above max {high}, so that every row would fail; swap them"
    if rule.get("check") == "length" and _is_number(high) and high < 0:  # type: ignore[operator]
        yield ("max",), f"a length is never below 0, max is {high}"
    if isinstance(pattern, str) and (reason := _bad_pattern(pattern)):
        yield ("pattern",), f"{pattern!r} is not a regular expression: {reason}"
    if rule.get("values") == []:
        yield ("values",), "values is empty, so that every row would fail; list what is allowed"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bad_pattern(pattern: str) -> str | None:
    if _JAVA.search(pattern):
        return None
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return str(error)
    return None


def _type_problems(rule: Mapping[str, Any], check: str, name: str, kind: str) -> Iterator[Finding]:
    allowed = _TYPES.get(check)
    if allowed and kind not in allowed:
        wanted = " or ".join(allowed)
        yield ("field",), f"check {check} is for {wanted}, but {name!r} is {kind}"
    values = rule.get("values")
    if check != "in_set" or kind not in _VALUE_TYPES or not isinstance(values, list):
        return
    for index, value in enumerate(values):
        fits = isinstance(value, _VALUE_TYPES[kind]) and (kind == "BOOL" or not isinstance(value, bool))
        if not fits and isinstance(value, str | int | float):
            yield ("values", index), f"{value!r} is not {kind}, as {name!r} is"
