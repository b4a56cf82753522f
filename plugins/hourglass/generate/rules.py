"""Row-level rules in plain Python, for telling which one a spoilt record breaks first."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hourglass.config.rules import EMAIL, Rule
from hourglass.config.types import parse_duration
from hourglass.generate.record import as_moment

Holds = Callable[[Rule, Any, datetime], bool]


def holds(rule: Rule, value: Any, end: datetime) -> bool:
    """Whether a value keeps a rule; an `expression` always does, since only Spark can tell.

    Args:
        rule: The rule.
        value: The value of its field; None passes every check but `not_null`.
        end: The partition's end, which stands for now.
    """
    if rule.check == "not_null":
        return value is not None
    judge = _JUDGES.get(rule.check)
    return value is None or judge is None or judge(rule, value, end)


def _within(rule: Rule, value: Any) -> bool:
    return (rule.min is None or value >= rule.min) and (rule.max is None or value <= rule.max)


def _by_moment(test: Callable[[Rule, datetime, datetime], bool]) -> Holds:
    def judge(rule: Rule, value: Any, end: datetime) -> bool:
        moment = as_moment(value)
        return moment is None or test(rule, moment, end)

    return judge


def age(rule: Rule) -> timedelta:
    """The age that a `max_age` rule allows."""
    return parse_duration(rule.age)


_JUDGES: dict[str, Holds] = {
    "valid_email": lambda rule, value, end: re.search(EMAIL, value) is not None,
    "positive_number": lambda rule, value, end: value > 0,
    "between": lambda rule, value, end: _within(rule, value),
    "in_set": lambda rule, value, end: value in (rule.values or []),
    "regex": lambda rule, value, end: re.search(rule.pattern or "", value) is not None,
    "length": lambda rule, value, end: _within(rule, len(value)),
    "not_in_future": _by_moment(lambda rule, moment, end: moment <= end),
    "max_age": _by_moment(lambda rule, moment, end: moment >= end - age(rule)),
}
