"""Filters and orders of ListBatches (https://google.aip.dev/160): `state = RUNNING AND labels.team = "a"`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.cloud.dataproc_v1.types import Batch

from local.dataproc.errors import invalid

Predicate = Callable[[Batch], bool]

_TOKEN = re.compile(
    r"""\s*(?: (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
             | (?P<sign>!=|<=|>=|=|<|>|:|\(|\))
             | (?P<word>[^\s"'=<>!:()]+) )""",
    re.VERBOSE,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    ":": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FIELDS = "batch_id, batch_uuid, state, create_time and labels"


def parse_filter(text: str) -> Predicate:
    """Compile a filter into a function that tells whether a batch matches.

    AND and OR may be written in either case; as in Google's filters, OR binds tighter than AND.

    Args:
        text: the filter; an empty one matches every batch.

    Raises:
        ApiError: INVALID_ARGUMENT when it cannot be read or names an unknown field.
    """
    tokens = _tokens(text)
    if not tokens:
        return lambda batch: True
    parser = _Parser(text, tokens)
    predicate = parser.conjunction()
    parser.expect_end()
    return predicate


def check_order(order_by: str) -> None:
    """Accept the orders the service knows: unspecified and `create_time desc`, here the same.

    Raises:
        ApiError: INVALID_ARGUMENT for any other order.
    """
    if " ".join(order_by.split()) not in ("", "create_time desc"):
        raise invalid(f"Unsupported order_by '{order_by}': the only supported order is 'create_time desc'")


def _tokens(text: str) -> list[str]:
    tokens, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise invalid(f"Invalid filter '{text}': cannot read it from character {position + 1}")
        tokens.append(match.group().strip())
        position = match.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens of one filter."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self._text, self._tokens, self._next = text, tokens, 0

    def conjunction(self) -> Predicate:
        parts = [self._disjunction()]
        while self._peek().upper() not in ("", ")"):
            if self._peek().upper() == "AND":  # two clauses side by side mean AND as well
                self._take()
            parts.append(self._disjunction())
        return lambda batch: all(part(batch) for part in parts)

    def expect_end(self) -> None:
        if self._peek():
            raise self._error(f"unexpected '{self._peek()}'")

    def _disjunction(self) -> Predicate:
        parts = [self._clause()]
        while self._peek().upper() == "OR":
            self._take()
            parts.append(self._clause())
        return lambda batch: any(part(batch) for part in parts)

    def _clause(self) -> Predicate:
        if self._peek().upper() == "NOT":
            self._take()
            negated = self._clause()
            return lambda batch: not negated(batch)
        if self._peek() == "(":
            self._take()
            inside = self.conjunction()
            if self._take() != ")":
                raise self._error("a ')' is missing")
            return inside
        return self._comparison(self._take(), self._take(), _unquote(self._take()))

    def _comparison(self, field: str, sign: str, value: str) -> Predicate:
        if sign not in _COMPARE:
            raise self._error(f"'{sign}' is not a comparison")
        compare = _COMPARE[sign]
        if field.startswith("labels."):
            key = field.removeprefix("labels.")
            if value == "*":
                return lambda batch: (key in batch.labels) == (sign != "!=")
            return lambda batch: key in batch.labels and compare(batch.labels[key], value)
        if field == "create_time":
            moment = self._moment(value)
            return lambda batch: compare(batch.create_time, moment)
        read = _text_fields().get(field)
        if read is None:
            raise self._error(f"unknown field '{field}'; supported are {_FIELDS}")
        if field == "state" and value not in Batch.State.__members__:
            raise self._error(f"unknown state '{value}'")
        return lambda batch: compare(read(batch), value)

    def _moment(self, value: str) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise self._error(f"'{value}' is not an RFC 3339 time") from error
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        if not token:
            raise self._error("it ends too early")
        self._next += 1
        return token

    def _error(self, problem: str) -> Exception:
        return invalid(f"Invalid filter '{self._text}': {problem}")


def _text_fields() -> dict[str, Callable[[Batch], str]]:
    return {
        "batch_id": lambda batch: str(batch.name).rsplit("/", 1)[-1],
        "batch_uuid": lambda batch: str(batch.uuid),
        "state": lambda batch: str(batch.state.name),
    }


def _unquote(token: str) -> str:
    if token[0] in "\"'":
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    return token
