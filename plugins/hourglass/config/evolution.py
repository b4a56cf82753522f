"""Versions of a schema: their order, and whether one breaks its predecessor."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hourglass.config.document import Document, Location
from hourglass.config.errors import Problem, shown

_VERSION = re.compile(r"\d+(\.\d+){0,2}")
_INSTEAD = (
    "; readers of the published table rely on it. Give the change a new field, or a new source; or, if "
    "nobody reads the old rows, write evolution: none"
)


def version_of(text: str) -> tuple[int, ...] | None:
    """A version such as 1.2 or 1.10.3 as numbers to compare; None when it is none."""
    if not _VERSION.fullmatch(text):
        return None
    numbers = [int(part) for part in text.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


def version_problems(document: Document, include: Path) -> Iterator[Problem]:
    """Does the version in the file agree with the file's name?

    Args:
        document: A sound schema file.
        include: The include folder.
    """
    # include/schemas/NAME.json has no version folder: it means whatever version it says.
    if document.path.parent == include / "schemas":
        return
    stem, said = document.path.stem, str(document.data["version"])
    named = version_of(stem)
    if named is None:
        message = f"{document.path.name} is not named after a version; call it {said}.json"
        yield document.problem(("version",), message)
    elif named != version_of(said):
        message = f"version {said!r} differs from the file's name {document.path.name!r}; make them equal"
        yield document.problem(("version",), message)
    for other in sorted(document.path.parent.glob("*.json")):
        if other != document.path and named is not None and version_of(other.stem) == named:
            message = f"{other.name} and {document.path.name} are the same version; keep one"
            yield document.problem(("version",), message)


def evolution_problems(document: Document, include: Path) -> Iterator[Problem]:
    """What of this version breaks the version before it, which stands beside it.

    Args:
        document: A sound schema file.
        include: The include folder.
    """
    if document.path.parent == include / "schemas":
        return
    now = version_of(document.path.stem)
    earlier = [(v, p) for p in document.path.parent.glob("*.json") if (v := version_of(p.stem))]
    before = max(((v, p) for v, p in earlier if now and v < now), default=None)
    if before is None:
        return
    try:
        old = json.loads(before[1].read_text("utf-8"))["fields"]
        changes = list(_changes(old, document.data["fields"], ("fields",), ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        message = f"the version before this one, {shown(before[1])}, cannot be read; repair it or remove it"
        yield document.problem(("version",), message)
        return
    for location, message in changes:
        yield document.problem(location, f"{message} {shown(before[1])}{_INSTEAD}")


def _changes(
    old: list[dict[str, Any]], new: list[dict[str, Any]], location: Location, prefix: str
) -> Iterator[tuple[Location, str]]:
    places = {field["name"]: index for index, field in enumerate(new)}
    names = {field["name"] for field in old}
    for field in old:
        path = f"{prefix}{field['name']}"
        if field["name"] not in places:
            yield location, f"field {path!r} is dropped: it is in"
            continue
        index = places[field["name"]]
        yield from _change(field, new[index], (*location, index), path)
    for name, index in places.items():
        if name not in names and new[index].get("mode") == "REQUIRED":
            message = f"field {prefix}{name} is new and REQUIRED, which old rows lack; write NULLABLE: not in"
            yield (*location, index, "mode"), message


def _change(
    old: dict[str, Any], new: dict[str, Any], location: Location, path: str
) -> Iterator[tuple[Location, str]]:
    was, now = old.get("mode", "NULLABLE"), new.get("mode", "NULLABLE")
    if old["type"] != new["type"]:
        yield (*location, "type"), f"field {path!r} becomes {new['type']}: it is {old['type']} in"
    elif "REPEATED" in (was, now) and was != now:
        yield (*location, "mode"), f"field {path!r} becomes {now}: it is {was} in"
    elif now == "REQUIRED" and was != "REQUIRED":
        yield (*location, "mode"), f"field {path!r} becomes REQUIRED, which old rows may lack: it is {was} in"
    elif old.get("fields") and new.get("fields"):
        yield from _changes(old["fields"], new["fields"], (*location, "fields"), f"{path}.")
