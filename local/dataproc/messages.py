"""What a batch's state message says when it did not succeed, in the form the real service gives it."""

from __future__ import annotations

import re
from pathlib import Path

from local.dataproc.driver import Exit

_TAIL_BYTES = 64_000
_LONGEST = 1_000
_EXCEPTION = re.compile(
    r"^[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning)\b.*|^[A-Za-z_][\w.]+: .+"
)


def failed(exit_: Exit, output: Path, places: str) -> str:
    """Say why a driver failed.

    Args:
        exit_: how it ended.
        output: the file with its standard output and error.
        places: where the whole output is, one place a line.
    """
    cause = last_exception(_tail(output))
    if cause:
        return f"Job failed with message [{cause}]. Additional details can be found at:\n{places}"
    return (
        f"Google Cloud Dataproc Agent reports job failure (exit code {exit_.code}). "
        f"If logs are available, they can be found at:\n{places}"
    )


def not_started(cause: str, places: str) -> str:
    """Say why a driver never started."""
    return f"Job failed with message [{cause}]. Additional details can be found at:\n{places}"


def vanished(places: str) -> str:
    """Say that a driver is gone and left no exit code."""
    return (
        "The Spark driver of this batch is gone and left no exit code: it was killed from outside, or the "
        f"machine was restarted. Run the batch again. What it wrote can be found at:\n{places}"
    )


def last_exception(text: str) -> str:
    """Find the exception that ended a program in its output.

    Returns:
        The last line of the last Python traceback, or the exception of Java's main thread, or nothing.
    """
    lines = text.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    for line in lines[starts[-1] + 1 :] if starts else ():
        if line and not line[0].isspace() and _EXCEPTION.match(line):
            return line.strip()[:_LONGEST]
    bare = [line for line in lines if re.match(r"(SyntaxError|IndentationError|TabError): ", line)]
    java = [line for line in lines if line.startswith('Exception in thread "main" ')]
    found = bare or [line.removeprefix('Exception in thread "main" ') for line in java]
    return found[-1].strip()[:_LONGEST] if found else ""


def _tail(file: Path) -> str:
    try:
        with file.open("rb") as source:
            source.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            return source.read().decode(errors="replace")
    except OSError:
        return ""
