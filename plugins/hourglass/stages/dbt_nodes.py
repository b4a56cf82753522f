"""The dbt project's nodes as its manifest lists them, read once for all the DAGs of an interpreter.

Cosmos reads the whole manifest for each task group. With 200 sources that is 200 times a file that grows with
every source: minutes for a parse. Here the file is read once, and only the few keys that tasks are made of.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from cosmos.constants import DbtResourceType
from cosmos.dbt.graph import DbtNode

_BUILT = ("seed", "snapshot", "model")


class _Parents(msgspec.Struct):
    nodes: list[str] = []


class _Config(msgspec.Struct):
    materialized: str | None = None


class _Node(msgspec.Struct):
    resource_type: str
    original_file_path: str
    package_name: str
    tags: list[str] = []
    fqn: list[str] = []
    config: _Config = msgspec.field(default_factory=_Config)
    depends_on: _Parents = msgspec.field(default_factory=_Parents)


class _Manifest(msgspec.Struct):
    nodes: dict[str, _Node] = {}


def tagged_nodes(manifest: Path, tag: str) -> dict[str, DbtNode]:
    """The seeds, snapshots and models with a tag, by their id.

    Args:
        manifest: What `dbt parse` wrote.
        tag: The tag, which is a source's id.

    Raises:
        FileNotFoundError: There is no manifest.
    """
    try:
        written = manifest.stat()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no dbt manifest {manifest}; make it with `make setup`, or `dbt parse` in {manifest.parents[1]}"
        ) from None
    return _by_tag(manifest, written.st_mtime_ns, written.st_size).get(tag, {})


@lru_cache(maxsize=1)
def _by_tag(manifest: Path, modified: int, size: int) -> dict[str, dict[str, DbtNode]]:
    """Every node by its tags; the time and the size say which writing of the file is meant."""
    found: defaultdict[str, dict[str, DbtNode]] = defaultdict(dict)
    for name, node in msgspec.json.decode(manifest.read_bytes(), type=_Manifest).nodes.items():
        if node.resource_type in _BUILT:
            made = _made(name, node, manifest.parents[1])
            for tag in node.tags:
                found[tag][name] = made
    return dict(found)


def _made(name: str, node: _Node, project: Path) -> DbtNode:
    config: dict[str, Any] = {"materialized": node.config.materialized}
    return DbtNode(
        unique_id=name,
        resource_type=DbtResourceType(node.resource_type),
        depends_on=node.depends_on.nodes,
        path_base=project,
        original_file_path=Path(node.original_file_path),
        package_name=node.package_name,
        tags=node.tags,
        config=config,
        fqn=node.fqn,
    )
