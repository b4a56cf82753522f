"""YAML and JSON files as plain values together with the place of every key and value.

PyYAML's C parser reads a source file twenty times faster than ruamel's pure Python one (0.2 ms against 4 ms
for 17 lines), and the DAG processor reads every source at every parse. Its composed nodes carry the marks
that error messages need; they become values only when a message needs them. Scalars follow YAML 1.2's core
schema, so `NO` is a country and not `false`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from hourglass.config.errors import ConfigError, Problem, shown
from hourglass.config.nodes import DEEPEST, Bad, Builder, Location, Place, compose

__all__ = ["Document", "Location", "Place", "read_document"]


@dataclass
class Document:
    """One parsed file.

    Args:
        path: Where it is.
        text: Its content.
        anchor: The part of the reference that describes such files.
        data: The plain value.
        values: The place of every value, by its path from the root; places are 1-based (line, column).
        keys: The place of every key of a mapping, by the path of its value.
        bad: What the places' parser does not accept.
    """

    path: Path
    text: str
    anchor: str = "source-file.md#source-file"
    data: Any = None
    values: dict[Location, Place] = field(default_factory=dict)
    keys: dict[Location, Place] = field(default_factory=dict)
    bad: list[Bad] = field(default_factory=list)

    def problem(
        self, location: Location, message: str, *, at_key: bool = False, reference: str | None = None
    ) -> Problem:
        """A mistake at the given path, or at its nearest existing ancestor."""
        self.locate()
        return self.problem_at(self._place(location, at_key), message, reference)

    def _place(self, location: Location, at_key: bool) -> Place:
        for length in range(len(location), -1, -1):
            here = location[:length]
            key_first = at_key or length < len(location)
            for places in (self.keys, self.values) if key_first else (self.values, self.keys):
                if here in places:
                    return places[here]
        return (1, 1)

    def problem_at(self, place: Place, message: str, reference: str | None = None) -> Problem:
        """A mistake at a line and column."""
        lines = self.text.splitlines()
        line = lines[place[0] - 1] if 0 < place[0] <= len(lines) else ""
        anchor = self.anchor if reference is None else reference
        return Problem(shown(self.path), place[0], place[1], message, line, anchor)

    def locate(self) -> None:
        """Find the places of a JSON file, which needs them only when something is wrong."""
        if self.values:
            return
        self.values[()] = (1, 1)
        try:
            # JSON is YAML, but for tabs between its tokens.
            node = compose(self.text.replace("\t", " "))
            if node is not None:
                builder = Builder(self.values, self.keys)
                builder.build(node)
                self.bad = builder.bad
        except (yaml.YAMLError, ValueError, RecursionError):
            return


def read_document(path: Path) -> Document:
    """Parse a YAML or JSON file.

    Raises:
        ConfigError: The file is missing, not UTF-8, not YAML or JSON, or has a key twice.
    """
    is_json = path.suffix == ".json"
    anchor = "schema-file.md#schema-file" if is_json else "source-file.md#source-file"
    document = Document(path, _text(path, anchor), anchor)
    if document.text.startswith("\ufeff"):
        message = "the file begins with a byte order mark; save it as UTF-8 without one"
        raise ConfigError([document.problem_at((1, 1), message)])
    (_read_json if is_json else _read_yaml)(document)
    return document


def _text(path: Path, anchor: str) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        problem = Problem(shown(path), 0, 0, "there is no such file; create it", "", anchor)
        raise ConfigError([problem]) from None
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        raise ConfigError([Problem(shown(path), 0, 0, message, "", anchor)]) from None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"byte {raw[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        raise ConfigError([Problem(shown(path), line, column, message, "", anchor)]) from None


def _read_yaml(document: Document) -> None:
    builder = Builder(document.values, document.keys)
    try:
        node = compose(document.text)
        document.data = builder.build(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        _raise_syntax(document, error)
    except yaml.reader.ReaderError as error:
        message = f"character #x{ord(str(error.character)[:1] or ' '):02x} is not allowed in YAML; remove it"
        raise ConfigError([document.problem_at(_offset(document.text, error.position), message)]) from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError([document.problem_at((1, 1), f"this is not YAML: {error}")]) from None
    except RecursionError:
        message = f"this is nested more than {DEEPEST} deep; a source file needs no more than ten"
        raise ConfigError([document.problem_at((1, 1), message)]) from None
    _raise_bad(document, builder.bad)


def _read_json(document: Document) -> None:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        mapping = dict(items)
        if len(mapping) < len(items):
            twice.append(items)
        return mapping

    def constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    twice: list[Any] = []
    try:
        document.data = json.loads(document.text, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        message = f"this is not JSON: {error.msg[0].lower()}{error.msg[1:]}"
        if not document.text.strip():
            message = "the file is empty"
        raise ConfigError([document.problem_at((error.lineno, error.colno), message)]) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError([document.problem_at((1, 1), f"this is not JSON: {error}")]) from None
    if twice:
        document.locate()
        _raise_bad(document, document.bad or [((1, 1), "a key stands twice in one object; keep one")])


def _raise_bad(document: Document, bad: Iterable[Bad]) -> None:
    if problems := [document.problem_at(place, message) for place, message in bad]:
        raise ConfigError(problems)


def _raise_syntax(document: Document, error: yaml.MarkedYAMLError) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    what = ", ".join(part for part in (error.context, error.problem) if part)
    hint = "; check the indentation, the quotes and that lines use spaces, not tabs"
    raise ConfigError([document.problem_at(place, f"this is not YAML: {what}{hint}")]) from None


def _offset(text: str, position: int) -> Place:
    before = text[:position]
    return before.count("\n") + 1, len(before) - before.rfind("\n")
