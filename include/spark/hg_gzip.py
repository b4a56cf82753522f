"""Damaged gzip objects: find them, and read every line that can still be read. Plain Python, no Spark."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

STEP = 65536  # bytes fed to the decompressor at a time
GZIP = 31  # zlib's window bits for one gzip member with header and checksum
BOM = b"\xef\xbb\xbf"


class Damaged(Exception):  # noqa: N818 (a finding, not a failure of this program)
    """The rest of the stream cannot be read."""


def inflated(data: bytes) -> Iterator[bytes]:
    """Decompress every member of a gzip object.

    Args:
        data: the whole object. No bytes at all is an empty object; NUL bytes after a member are padding.

    Yields:
        Pieces of the decompressed text, up to the last byte that can be had.

    Raises:
        Damaged: after the last readable piece, when the object is truncated, has a wrong checksum, or goes on
            with something that is not gzip.
    """
    rest = data
    while rest.strip(b"\0"):
        member = zlib.decompressobj(GZIP)
        position = 0
        while not member.eof:
            piece = rest[position : position + STEP]
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
        rest = member.unused_data + rest[position:]


def _last_bytes(member: zlib._Decompress, piece: bytes) -> Iterator[bytes]:
    """What a piece still gives before the byte that breaks it (one call would lose all of it)."""
    for position in range(len(piece)):
        try:
            yield member.decompress(piece[position : position + 1])
        except zlib.error:
            return


def is_damaged(data: bytes) -> bool:
    """Whether some of the object cannot be read."""
    try:
        for _ in inflated(data):
            pass
    except Damaged:
        return True
    return False


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
