"""The dbt project's nodes as its manifest lists them, read once for all the DAGs of an interpreter.

Cosmos reads the whole manifest for each task group. With 200 sources that is 200 times a file that grows with
every source: minutes for a parse. Here the file is read once, and only the few keys that tasks are made of.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cosmos.constants import DbtResourceType
from cosmos.dbt.graph import DbtNode

from hourglass.config.dbt_manifest import Node, read_manifest


def tagged_nodes(manifest: Path, tag: str) -> dict[str, DbtNode]:
    """The seeds, snapshots and models with a tag, by their id.

    Args:
        manifest: What `dbt parse` wrote.
        tag: The tag, which is a source's id.

    Raises:
        FileNotFoundError: There is no manifest.
    """
    known = read_manifest(manifest)
    return {name: _made(name, known.nodes[name], manifest.parents[1]) for name in known.tagged().get(tag, ())}


def _made(name: str, node: Node, project: Path) -> DbtNode:
    meta = {"cosmos": node.config.meta.cosmos}
    config: dict[str, Any] = {"materialized": node.config.materialized, "meta": meta}
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
