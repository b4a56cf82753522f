"""Takes the values that do not fit their NULLABLE fields out of a line. Plain Python, no Spark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import hg_json
from hg_source import data_fields, names
from hg_spec import Field

Path = tuple[str, ...]


class _Beyond(Exception):  # noqa: N818 (a finding, not a failure of this program)
    """A value that must be there does not fit."""


@dataclass(frozen=True)
class Repairer:
    """What a line is repaired by; made once, used for many lines.

    Args:
        fields: the schema as the data has it.
        names: the schema's dotted name of each path in the data.
        required: names that must stay although their fields are NULLABLE.
        hidden: names of which nothing may be kept in plain.
    """

    fields: tuple[Field, ...]
    names: dict[Path, str]
    required: frozenset[str]
    hidden: frozenset[str]

    @classmethod
    def of(cls, fields: tuple[Field, ...], required: frozenset[str], hidden: frozenset[str]) -> Repairer:
        """Make one from the schema's fields."""
        return cls(data_fields(fields), names(fields), required, hidden)

    def repair(self, line: bytes) -> tuple[str, str | None, list[str]] | None:
        """Take out what does not fit.

        Args:
            line: a line that is one JSON value.

        Returns:
            The line without the values that do not fit (JSON text), what was taken out together with the unknown
            fields (JSON text, None when nothing of it may be kept), and the names of the fields that became NULL.
            None when the line is no object, nothing is to blame, or a REQUIRED field is.
        """
        hg_json.allow_depth()
        work = _Work(self)
        try:
            text = line.decode("utf-8")
            at = hg_json.skip(text, 0)
            if text[at] != "{":
                return None
            sound, kept = work.record(text, at, self.fields, ())
        except (_Beyond, ArithmeticError, ValueError, IndexError, RecursionError):
            return None
        return (sound, kept, sorted(work.nulled)) if work.nulled else None


@dataclass
class _Work:
    """One line's repair; each method gives (what stays, what is kept aside)."""

    plan: Repairer
    nulled: set[str] = field(default_factory=set)

    def record(self, text: str, at: int, fields: tuple[Field, ...], path: Path) -> tuple[str, str | None]:
        known = {f.name: f for f in fields}
        sound: dict[str, str] = {}
        kept: dict[str, str] = {}
        members = {key: (start, end) for key, start, end in hg_json.members(text, at)}
        for key, (start, end) in members.items():
            stays: str | None = text[start:end]
            aside: str | None = None if key in known else stays
            if key in known and stays != "null":
                stays, aside = self.value(text, start, end, known[key], (*path, key))
            if stays is not None:
                sound[key] = stays
            if aside is not None:
                kept[key] = aside
        return hg_json.object_text(sound), hg_json.object_text(kept) if kept else None

    def value(
        self, text: str, start: int, end: int, known: Field, path: Path
    ) -> tuple[str | None, str | None]:
        if known.fields and known.repeated and text[start] == "[":
            return self.records(text, start, end, known, path)
        if known.fields and not known.repeated and text[start] == "{":
            return self.record(text, start, known.fields, path)
        value = json.loads(text[start:end], parse_float=Decimal)
        if not known.fields and hg_json.fits(value, known):
            return text[start:end], None
        return None, self.aside(text[start:end], known, path)

    def records(
        self, text: str, start: int, end: int, known: Field, path: Path
    ) -> tuple[str | None, str | None]:
        places = list(hg_json.elements(text, start))
        if any(text[at] not in "{n" for at in places):
            return None, self.aside(text[start:end], known, path)
        found = [
            self.record(text, at, known.fields, path) if text[at] == "{" else ("null", None) for at in places
        ]
        kept = "[" + ",".join(aside or "{}" for _, aside in found) + "]"
        return "[" + ",".join(stays for stays, _ in found) + "]", kept if any(a for _, a in found) else None

    def aside(self, text: str, known: Field, path: Path) -> str | None:
        """Note a value that does not fit, and say what of it may be kept."""
        mine = [n for p, n in self.plan.names.items() if p[: len(path)] == path]
        # A record that only leads to renamed fields has no name of its own.
        gone = [self.plan.names[path]] if path in self.plan.names else mine
        if known.required or any(name in self.plan.required for name in mine) or self._leads(known, path):
            raise _Beyond
        self.nulled.update(gone)
        hidden = any(_overlap(name, other) for name in gone for other in self.plan.hidden)
        return None if hidden else text

    def _leads(self, known: Field, path: Path) -> bool:
        """Whether a nameless record leads to a REQUIRED field."""
        return path not in self.plan.names and any(_required(known.fields))


def _required(fields: tuple[Field, ...]) -> Iterator[bool]:
    for one in fields:
        yield one.required
        yield from _required(one.fields)


def _overlap(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")
