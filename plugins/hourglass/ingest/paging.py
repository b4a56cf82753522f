"""How a REST API hands out its records page by page, and how far a poll has come."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, NoReturn, Self
from uuid import uuid4

_SHOWN_BYTES = 200


class PageError(ValueError):
    """An answer that is no page of records."""


@dataclass(frozen=True, slots=True)
class Paging:
    """The API's way of paging; see `ingestion.pagination` in the reference of the source file.

    Args:
        items: Dotted path of the records in the answer; empty when the answer itself is the list.
        cursor: The parameter that asks for the next page; None for an API of one page.
        cursor_field: The field of a page's last record that the cursor takes.
        next: Dotted path of the next page's cursor in the answer, instead of `cursor_field`.
        more: Dotted path of the flag that there are more pages.
        since: The parameter for the interval's start.
        until: The parameter for the interval's end.
        time_format: How both are written.
        order: `newest_first`: what appears later stands before the cursor.
        page_size: Further parameters with numbers.
    """

    items: str = "data"
    cursor: str | None = None
    cursor_field: str = "id"
    next: str | None = None
    more: str | None = None
    since: str | None = None
    until: str | None = None
    time_format: Literal["iso", "unix", "unix_ms"] = "iso"
    order: Literal["oldest_first", "newest_first"] = "oldest_first"
    page_size: dict[str, int] = field(default_factory=dict)

    def parameters(self, start: datetime, end: datetime, cursor: str | None) -> dict[str, str]:
        """The query of one request.

        Args:
            start: The interval's first instant.
            end: The first instant after it.
            cursor: The page's cursor; None for the first page.
        """
        query = {name: str(value) for name, value in self.page_size.items()}
        if self.since:
            query[self.since] = self._time(start)
        if self.until:
            query[self.until] = self._time(end)
        if self.cursor and cursor is not None:
            query[self.cursor] = cursor
        return query

    def _time(self, moment: datetime) -> str:
        if self.time_format == "iso":
            return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
        return str(int(moment.timestamp()) * (1000 if self.time_format == "unix_ms" else 1))


@dataclass(frozen=True, slots=True)
class Page:
    """One page of records.

    Args:
        items: The records' JSON texts, every number with the digits that the API wrote.
        next_cursor: The next page's cursor; None when this is the last page for now.
    """

    items: list[str]
    next_cursor: str | None

    def lines(self) -> str:
        """The records as JSON lines: a function of the records alone, byte for byte."""
        return "".join(item + "\n" for item in self.items)


def read_page(body: bytes, paging: Paging, asked: str | None) -> Page:
    """Read one answer.

    Args:
        body: The answer's body.
        paging: The API's way of paging.
        asked: The cursor that the page was asked with.

    Raises:
        PageError: It is no JSON, lacks the records, or its cursor does not get on; with its first bytes.
    """
    # A float would change a number's digits: each stays a text, told from the data's own by a random mark.
    mark = uuid4().hex
    try:
        answer = json.loads(body, parse_constant=_no_constant, parse_float=lambda digits: mark + digits)
    except ValueError as error:
        raise PageError(f"the answer is no JSON ({error}); {_first_bytes(body)}") from None
    items = dig(answer, paging.items)
    if not isinstance(items, list):
        place = f"no list at {paging.items!r}" if paging.items else "not a list itself"
        raise PageError(f"the answer has {place}; correct ingestion.pagination.items. {_first_bytes(body)}")
    cursor = _next_cursor(answer, items, paging)
    cursor = cursor.removeprefix(mark) if cursor else None
    if cursor is not None and cursor == asked:
        raise PageError(
            f"the answer's next cursor is the one it was asked with, {cursor!r}: it would never end"
        )
    texts = (json.dumps(item, separators=(",", ":")) for item in items)
    return Page([re.sub(rf'"{mark}([^"]*)"', r"\1", text) for text in texts], cursor)


def _next_cursor(answer: Any, items: list[Any], paging: Paging) -> str | None:
    if paging.cursor is None or (paging.more and not dig(answer, paging.more)):
        return None
    if paging.next is not None:
        found = dig(answer, paging.next)
        return None if found in (None, "") else str(found)
    if not items:
        return None
    found = dig(items[-1], paging.cursor_field)
    if found in (None, ""):
        shown = json.dumps(items[-1])[:_SHOWN_BYTES]
        raise PageError(
            f"the last record has no {paging.cursor_field!r}, which the cursor {paging.cursor} needs: {shown}; "
            "correct ingestion.pagination.cursor_field"
        )
    return str(found)


def dig(value: Any, path: str) -> Any:
    """The value at a dotted path; the whole for an empty path, None where there is nothing."""
    for name in filter(None, path.split(".")):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _first_bytes(body: bytes) -> str:
    return f"its first bytes: {body[:_SHOWN_BYTES]!r}" if body else "it is empty"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a poll has come: the next request. Kept after each page, so that a killed try resumes there.

    The last page for now stays the next request, since it may still grow: asked again, it replaces its own
    object. So no record is lost or doubled, wherever a try ends.

    Args:
        settings: Digest of what the pages depend on; another one means starting over.
        page: The number of the page to ask for, from 1.
        cursor: Its cursor; None for the first page.
        items: Records on the pages before it.
    """

    settings: str
    page: int = 1
    cursor: str | None = None
    items: int = 0

    def after(self, page: Page) -> Self:
        """The progress once a page is kept."""
        if page.next_cursor is None:
            return self
        return type(self)(self.settings, self.page + 1, page.next_cursor, self.items + len(page.items))

    def to_json(self) -> str:
        """The text that is kept."""
        return json.dumps({"version": 1, **asdict(self)})

    @classmethod
    def resume(cls, text: str | None, settings: str) -> Self:
        """The progress to go on from: the kept one, unless there is none or the settings have changed."""
        document = json.loads(text) if text else {}
        if document.pop("version", None) != 1 or document["settings"] != settings:
            return cls(settings)
        return cls(**document)


def digest(*settings: Any) -> str:
    """SHA-256 (hexadecimal) of values that JSON can hold."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
