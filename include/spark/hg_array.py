"""Objects that are one JSON array: its elements, one by one. Plain Python, no Spark.

Python's JSON reader finds where an element ends. Where it gives up, brackets and quotes are counted instead, so
that an element that is no JSON does not take the others with it.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator

from hg_gzip import Unfinished

STEP = 1024 * 1024  # characters to look at, at least
LIMIT = 64 * 1024 * 1024  # characters of one element
PIECE = 16 * 1024 * 1024  # characters of one quarantined line of the rest
BROKEN, TRUNCATED = "broken_array", "truncated_gzip"
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_SPACE = re.compile(r"[ \t\r\n]*")
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{},]', re.DOTALL)
_CLOSES = {"]": "[", "}": "{"}


class _Broken(Exception):  # noqa: N818 (a finding, not a failure of this program)
    """From here on the object is no array."""


class _Text:
    """The object's text as far as it was read."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self.text = ""
        self.at = 0
        self.ended = False
        self.damaged = False

    def more(self) -> bool:
        """Read on, twice as far as what is still needed; False at the end."""
        if self.ended:
            return False
        read = [self.text[self.at :]]
        wanted = max(STEP, len(read[0]))
        while wanted > 0 and not self.ended:
            read.append(self._next())
            wanted -= len(read[-1])
        self.text, self.at = "".join(read), 0
        return True

    def _next(self) -> str:
        try:
            return self._decoder.decode(next(self._pieces))
        except StopIteration:
            self.ended = True
            return self._decoder.decode(b"", True)
        except Unfinished as end:
            self.ended = self.damaged = True
            return self._decoder.decode(end.rest, True)

    def peek(self) -> str:
        """The next character that is no white space, empty at the end."""
        while True:
            self.at = _space(self.text, self.at)
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""


def _space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def elements(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, str | None]]:
    """The elements of one object.

    Args:
        pieces: the object's bytes; hg_gzip.Unfinished ends those of a damaged object.

    Yields:
        (text of an element, None), whether or not it is JSON; then, where the object is no array or does not end as
        one, the rest with its fault. A long rest comes in several pieces.
    """
    source = _Text(pieces)
    if source.peek() == "\ufeff":
        source.at += 1
    try:
        yield from _elements(source)
        broken = source.peek() != ""
    except _Broken:
        broken = True
    if broken or source.damaged:
        yield from _rest(source)


def _elements(source: _Text) -> Iterator[tuple[bytes, None]]:
    first = source.peek()
    if not first:
        return  # nothing at all: an object without elements
    if first != "[":
        raise _Broken
    source.at += 1
    if source.peek() == "]":
        source.at += 1
        return
    delimiter = ","
    while delimiter == ",":
        source.peek()
        end = _end(source)
        element = source.text[source.at : end].rstrip(" \t\r\n")
        if not element:
            raise _Broken
        yield element.encode("utf-8", "surrogateescape"), None
        delimiter = source.text[end]
        source.at = end + 1


def _end(source: _Text) -> int:
    """Where the delimiter behind the element at `source.at` is."""
    while True:
        end = _parsed(source.text, source.at)
        if end is None:
            end = _counted(source.text, source.at)
        if end is not None:
            return end
        if len(source.text) - source.at > LIMIT or not source.more():
            raise _Broken


def _parsed(text: str, at: int) -> int | None:
    try:
        end = _space(text, _DECODER.raw_decode(text, at)[1])
    except (ValueError, RecursionError):
        return None
    return end if text[end : end + 1] in (",", "]") else None


def _counted(text: str, at: int) -> int | None:
    """The first comma or closing bracket outside of strings and brackets, None when the text ends before."""
    open_brackets: list[str] = []
    for match in _TOKEN.finditer(text, at):
        mark = match.group()
        if mark == '"':
            return None  # the string does not end in this text
        if mark in ("[", "{"):
            open_brackets.append(mark)
        elif mark in (",", "]") and not open_brackets:
            return match.start()
        elif mark in _CLOSES and (not open_brackets or open_brackets.pop() != _CLOSES[mark]):
            raise _Broken
    return None


def _rest(source: _Text) -> Iterator[tuple[bytes, str]]:
    first = True
    while first or source.at < len(source.text) or source.more():
        piece = source.text[source.at : source.at + PIECE]
        source.at += len(piece)
        if first or piece:
            fault = TRUNCATED if source.damaged else BROKEN
            yield piece.encode("utf-8", "surrogateescape"), fault
        first = False
