"""A generated file: its marker, and what became of it since it was written.

The first line says from what the file was made and carries a hash of all that follows. So a file that a person
has changed is told from one that is merely out of date, and a file without that line belongs to people.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

_MARKER = re.compile(
    r"(?:--|#) Generated from sources/(?P<source>\w+)\.yaml by hourglass compile; "
    r"delete this line to own it \((?P<hash>[0-9a-f]{12})\)"
)


class State(Enum):
    """What a file is, compared with what would be written."""

    CURRENT = "current"
    MISSING = "missing"
    STALE = "stale"
    EDITED = "edited"
    OWNED = "owned"
    ORPHANED = "orphaned"


@dataclass(frozen=True)
class Artifact:
    """A file as it should be.

    Args:
        path: Where, below the dbt project.
        source: The id of the source it is made from.
        body: Everything below the marker, with a newline at its end.
    """

    path: Path
    source: str
    body: str

    @property
    def text(self) -> str:
        """The whole file."""
        comment = "--" if self.path.suffix == ".sql" else "#"
        return (
            f"{comment} Generated from sources/{self.source}.yaml by hourglass compile; "
            f"delete this line to own it ({_digest(self.body)})\n{self.body}"
        )

    def state(self, project: Path) -> State:
        """Compare with the file on disk.

        Args:
            project: The dbt project.
        """
        path = project / self.path
        if not path.exists():
            return State.MISSING
        text = path.read_text("utf-8")
        written = marker_of(text)
        if written is None:
            return State.OWNED
        if not written.sound:
            return State.EDITED
        return State.CURRENT if text == self.text else State.STALE


@dataclass(frozen=True)
class Marker:
    """What a generated file says of itself.

    Args:
        source: The source it was made from.
        sound: Whether nothing below the marker was changed by hand.
    """

    source: str
    sound: bool


def marker_of(text: str) -> Marker | None:
    """The marker of a file; None when the file belongs to people.

    Args:
        text: The file's text.
    """
    first, _, body = text.partition("\n")
    match = _MARKER.fullmatch(first.rstrip("\r"))
    return Marker(match["source"], match["hash"] == _digest(body)) if match else None


def _digest(body: str) -> str:
    return hashlib.sha256(body.replace("\r\n", "\n").encode()).hexdigest()[:12]
