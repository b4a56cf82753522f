"""What people describe in the dbt project by hand: models, seeds and snapshots that a source may join."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from hourglass.compile.artifact import marker_of
from hourglass.compile.columns import Column
from hourglass.compile.names import quoted

_FOLDERS = {"models": "models", "seeds": "seeds", "snapshots": "snapshots"}


@dataclass(frozen=True)
class Node:
    """One model, seed or snapshot.

    Args:
        name: Its name in dbt.
        kind: models, seeds or snapshots.
        alias: The table's name.
        file: The properties file that describes it, below the dbt project.
        columns: Those that have a type there.
        tags: Its tags.
    """

    name: str
    kind: str
    alias: str
    file: Path
    columns: list[Column] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Project:
    """The dbt project on disk.

    Args:
        root: Its folder.
    """

    root: Path

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """Every node that a hand-written properties file describes, by its name in dbt."""
        return {node.name: node for folder in _FOLDERS for node in self._described(folder)}

    def _described(self, folder: str) -> Iterator[Node]:
        for path in sorted((self.root / folder).rglob("*.yml")):
            text = path.read_text("utf-8")
            if marker_of(text) is None:
                for entry in (yaml.safe_load(text) or {}).get(_FOLDERS[folder]) or []:
                    yield _node(entry, folder, path.relative_to(self.root))


def _node(entry: dict[str, Any], kind: str, file: Path) -> Node:
    config = entry.get("config") or {}
    types = config.get("column_types") or {}
    tags = config.get("tags") or []
    columns = [_column(c, c.get("data_type") or types.get(c["name"])) for c in entry.get("columns") or []]
    return Node(
        name=entry["name"],
        kind=kind,
        alias=config.get("alias") or entry["name"],
        file=file,
        columns=[c for c in columns if c is not None],
        tags=[tags] if isinstance(tags, str) else tags,
    )


def _column(entry: dict[str, Any], kind: str | None) -> Column | None:
    if kind is None:
        return None
    name = str(entry["name"])
    meta = (entry.get("config") or {}).get("meta") or entry.get("meta") or {}
    return Column(
        name=name,
        type=str(kind).lower(),
        description=entry.get("description") or f"{name}.",
        expression=quoted(name),
        path=name,
        classification=meta.get("classification"),
    )
