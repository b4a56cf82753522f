"""Damaged gzip objects: find them, and read every line that can still be read. Plain Python, no Spark."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator

STEP = 65536  # bytes fed to the decompressor at a time
GZIP = 31  # zlib's window bits for one gzip member with header and checksum
BOM = b"\xef\xbb\xbf"


class Damaged(Exception):  # noqa: N818 (a finding, not a failure of this program)
    """The rest of the stream cannot be read."""


class Unfinished(Exception):  # noqa: N818 (a finding, not a failure of this program)
    """A damaged object ends here; `rest` is what can be read of its last line."""

    def __init__(self, rest: bytes) -> None:
        super().__init__("the object is damaged")
        self.rest = rest


def inflated(data: bytes) -> Generator[bytes, None, bool]:
    """Decompress every member of a gzip object.

    Args:
        data: the whole object. No bytes at all is an empty object; NUL bytes after a member are padding.

    Yields:
        Pieces of the decompressed text, up to the last byte that can be had.

    Returns:
        Whether padding follows the last member.

    Raises:
        Damaged: after the last readable piece, when the object is truncated, has a wrong checksum, or goes on
            with something that is not gzip.
    """
    position = 0
    while position < len(data):
        if data[position] == 0 and position and not data[position:].strip(b"\0"):
            return True
        position = yield from _member(data, position)
    return False


def _member(data: bytes, position: int) -> Generator[bytes, None, int]:
    """Decompress one member and return where it ends."""
    member = zlib.decompressobj(GZIP)
    while not member.eof:
        piece = data[position : position + STEP]
        if not piece:
            raise Damaged("the object ends in the middle of the compressed data")
        position += len(piece)
        before = member.copy()
        try:
            text = member.decompress(piece)
        except zlib.error as error:
            yield from _last_bytes(before, piece)
            raise Damaged(str(error)) from error
        yield text
    return position - len(member.unused_data)


def _last_bytes(member: zlib._Decompress, piece: bytes) -> Iterator[bytes]:
    """What a piece still gives before the byte that breaks it (one call would lose all of it)."""
    for position in range(len(piece)):
        try:
            yield member.decompress(piece[position : position + 1])
        except zlib.error:
            return


def spark_gives_up(data: bytes) -> bool:
    """Whether Spark's reader fails on the object: it is damaged, or padded."""
    pieces = inflated(data)
    try:
        while True:
            next(pieces)
    except Damaged:
        return True
    except StopIteration as end:
        return bool(end.value)


def lines(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """The lines of a gzip object, split like Spark's text reader does.

    Yields:
        (line without its line feed, False) for each readable line, and once, last, (bytes of the unfinished
        line, True) when the object is damaged.
    """
    pending: list[bytes] = []
    start = True
    damaged = False
    try:
        for text in inflated(data):
            *complete, tail = text.split(b"\n")
            for line in complete:
                whole = b"".join([*pending, line])
                pending = []
                yield (whole.removeprefix(BOM) if start else whole), False
                start = False
            if tail:
                pending.append(tail)
    except Damaged:
        damaged = True
    last = b"".join(pending)
    if damaged or last:
        yield (last.removeprefix(BOM) if start else last), damaged


def pieces(data: bytes) -> Iterator[bytes]:
    """The text of a gzip object, line by line, each with its line feed.

    Raises:
        Unfinished: at the end of a damaged object.
    """
    for line, damaged in lines(data):
        if damaged:
            raise Unfinished(line)
        yield line + b"\n"
