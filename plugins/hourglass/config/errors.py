"""Configuration errors that name the place: file, line, column, the line itself and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REFERENCE = "docs/reference/"


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """One mistake in one file.

    Args:
        file: The file, as it should be shown.
        line: 1-based line, 0 when the mistake has no place in the file.
        column: 1-based column.
        message: What is wrong and what to do.
        source_line: The offending line's text.
        reference: The page and heading that describe what is allowed, below docs/reference/.
    """

    file: str
    line: int
    column: int
    message: str
    source_line: str = field(default="", compare=False)
    reference: str = field(default="", compare=False)

    @property
    def link(self) -> str:
        """The page and heading that describe what is allowed; empty when there is none."""
        return f"{REFERENCE}{self.reference}" if self.reference else ""

    def __str__(self) -> str:
        parts = [f"{self.file}:{self.line}:{self.column}: error: {self.message}"]
        if self.source_line:
            # A tab would shift the caret by as much as the terminal likes.
            parts += [self.source_line.replace("\t", " "), " " * (self.column - 1) + "^"]
        if self.link:
            parts.append(f"see {self.link}")
        return "\n    ".join(parts)


class ConfigError(ValueError):
    """All mistakes of one source, in the order of their places.

    Args:
        problems: The mistakes; at least one.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = sorted(set(problems))
        super().__init__("\n".join(str(p) for p in self.problems))


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """A hint that ends a message: the closest allowed word, or all of them when none is close."""
    words = sorted(set(allowed))
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; allowed: {', '.join(words)}" if words else ""


def shown(path: Path) -> str:
    """A path relative to the working directory where possible, as editors make it clickable."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
