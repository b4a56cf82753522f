"""What the fault proxy does with which request, and what it has seen. Plain data, which travels as JSON values."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

HTTP_SERVICES = ("gcs", "bigquery", "iceberg", "transfer", "credentials")
GRPC_SERVICES = ("bigtable", "dataproc")
Action = Literal["forward", "answer", "reset", "lose", "hang", "delay"]


@dataclass(frozen=True)
class Rule:
    """What happens to some requests of one service; the first rule that matches a request decides.

    Args:
        service: `gcs`, `bigquery`, `iceberg`, `transfer`, `credentials`, `bigtable` or `dataproc`.
        action: `forward` passes it on (for a hook alone); `answer` answers with `status` instead of the service;
            `reset` resets the connection before the service hears of it; `lose` lets the service do it and
            resets the connection instead of answering; `hang` keeps silent for `seconds`, then resets; `delay`
            waits `seconds`, then passes it on.
        method: HTTP method, as a regular expression for the whole; gRPC requests are POST.
        path: Regular expression, searched in path and query; of a gRPC request in `/package.Service/Method`.
        body: Regular expression, searched in the request's body (of a gRPC request in its first message).
        first: The first of the matching requests that it acts on, from 1.
        last: The last one; None for `first` alone, 0 for no end.
        status: HTTP status; of a gRPC service the number of a google.rpc.Code, such as 14 for UNAVAILABLE.
        text: The answer's body; of a gRPC service the message.
        headers: Of the answer, such as Retry-After; of a gRPC service its trailing metadata.
        seconds: For `hang` and `delay`.
    """

    service: str
    action: Action = "forward"
    method: str = ".*"
    path: str = ""
    body: str = ""
    first: int = 1
    last: int | None = None
    status: int = 503
    text: str = ""
    headers: dict[str, str | bytes] = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.service not in (*HTTP_SERVICES, *GRPC_SERVICES):
            raise ValueError(f"there is no service {self.service!r}")

    def matches(self, seen: Seen, body: bytes) -> bool:
        """Whether a request is one of those that it counts."""
        return (
            self.service == seen.service
            and self.matches_place(seen)
            and (not self.body or bool(re.search(self.body.encode(), body)))
        )

    def matches_place(self, seen: Seen) -> bool:
        """Whether a request's method and path are meant."""
        return bool(re.fullmatch(self.method, seen.method) and re.search(self.path, seen.path))

    def covers(self, count: int) -> bool:
        """Whether it acts on the count-th matching request."""
        last = self.first if self.last is None else self.last
        return self.first <= count and (last == 0 or count <= last)


@dataclass
class Seen:
    """A request that came to the proxy.

    Args:
        service: The service.
        method: HTTP method; POST for gRPC.
        path: Path and query, or `/package.Service/Method`.
        number: Its place among all requests, from 1.
        rule: Number of the rule that acted on it, or None.
        status: The service's answer: HTTP status or gRPC code; None while there is none.
        answered: Whether the client was given an answer.
    """

    service: str
    method: str
    path: str
    number: int = 0
    rule: int | None = None
    status: int | None = None
    answered: bool = False


@dataclass(frozen=True)
class Verdict:
    """What to do with one request.

    Args:
        rule: What to do.
        before: Called before the service hears of it.
        after: Called once the service has answered, before the client has the answer.
    """

    rule: Rule
    before: Callable[[], None]
    after: Callable[[], None]


def nothing() -> None:
    """No hook."""


class Book:
    """The rules, how often each has matched, and the requests that came.

    Args:
        ask: Tells the owner that a hook is due (rule's number, the request) and waits until it has run.
    """

    def __init__(self, ask: Callable[[int, dict[str, Any]], None]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._rules: dict[int, Rule] = {}
        self._hooks: dict[int, str] = {}
        self._counts: dict[int, int] = {}
        self.seen: list[Seen] = []

    def add(self, number: int, rule: Rule, when: str | None) -> None:
        """Take a rule; `when` says whether the owner has a hook `before` or `after`."""
        with self._lock:
            self._rules[number] = rule
            self._counts[number] = 0
            if when:
                self._hooks[number] = when

    def remove(self, number: int) -> None:
        """Forget a rule."""
        with self._lock:
            self._rules.pop(number, None)

    def clear(self) -> None:
        """Forget all rules and all requests."""
        with self._lock:
            self._rules.clear()
            self.seen.clear()

    def judge(self, seen: Seen, body: bytes) -> Verdict:
        """Note a request, and say what to do with it."""
        with self._lock:
            seen.number = next(self._numbers)
            self.seen.append(seen)
            chosen = None
            for number, rule in self._rules.items():
                if rule.matches(seen, body):
                    self._counts[number] += 1
                    if chosen is None and rule.covers(self._counts[number]):
                        chosen = number
            if chosen is None:
                return Verdict(Rule(seen.service), nothing, nothing)
            seen.rule = chosen
            when = self._hooks.get(chosen)
            rule = self._rules[chosen]

        def hook() -> None:
            self._ask(chosen, asdict(seen))

        return Verdict(rule, hook if when == "before" else nothing, hook if when == "after" else nothing)
