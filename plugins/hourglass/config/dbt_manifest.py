"""dbt's manifest, from which DAG files take their models, and whether it knows the models that are there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from hourglass.config.errors import Problem, shown

BUILT = ("seed", "snapshot", "model")
DAILY = "daily"  # the tag of what the daily DAG runs
_WRITTEN = ("target", "logs")  # folders that dbt writes
DOMAINS = ("core", "finance", "product", "support", "ml", "ops")  # folders of marts that no source owns alone


class _Parents(msgspec.Struct):
    nodes: list[str] = []


class _PartitionBy(msgspec.Struct):
    field: str


class _Meta(msgspec.Struct):
    cosmos: dict[str, Any] = {}  # what the node's task is to have, such as a pool


class _Config(msgspec.Struct):
    materialized: str | None = None
    partition_by: _PartitionBy | None = None
    meta: _Meta = msgspec.field(default_factory=_Meta)


class Node(msgspec.Struct):
    """One node, as far as tasks are made of it."""

    resource_type: str
    original_file_path: str
    package_name: str
    schema: str = ""
    alias: str = ""
    tags: list[str] = []
    fqn: list[str] = []
    config: _Config = msgspec.field(default_factory=_Config)
    depends_on: _Parents = msgspec.field(default_factory=_Parents)


class _Disabled(msgspec.Struct):
    """A model or a test that is switched off; a test has no schema and no tags."""

    original_file_path: str


class Manifest(msgspec.Struct):
    """What `dbt parse` wrote; a disabled model is in a list of its own."""

    nodes: dict[str, Node] = {}
    disabled: dict[str, list[_Disabled]] = {}
    _tagged: dict[str, list[str]] = {}  # made when it is first asked for

    def tagged(self) -> dict[str, list[str]]:
        """The ids of the seeds, snapshots and models by their tags."""
        if not self._tagged:
            for name, node in self.nodes.items():
                if node.resource_type in BUILT:
                    for tag in node.tags:
                        self._tagged.setdefault(tag, []).append(name)
        return self._tagged

    def sources_of(self, tag: str) -> set[str]:
        """The names of dbt sources that nodes with a tag read, be it through other nodes."""
        waiting, seen = list(self.tagged().get(tag, ())), set()
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += self.nodes[name].depends_on.nodes if name in self.nodes else ()
        return {name.split(".")[2] for name in seen if name.startswith("source.")}

    def tables(self) -> Iterator[Node]:
        """The models that are tables, which rows are kept in."""
        return (n for n in self.nodes.values() if n.config.materialized == "incremental")


def manifest_path(include: Path) -> Path:
    """The dbt manifest of an include folder."""
    return include / "dbt" / "target" / "manifest.json"


@lru_cache(maxsize=8)
def state_of_files(project: Path) -> str:
    """A digest of what a dbt project's files are at the moment: their names, sizes and times, not their contents.

    A process asks once; the files of a DAG do not change while it is parsed.

    Args:
        project: The folder with dbt_project.yml.
    """
    found = []
    for folder, inner, files in os.walk(project, followlinks=True):
        inner[:] = [name for name in inner if name not in _WRITTEN]
        for file in files:
            entry = os.stat(os.path.join(folder, file))
            found.append(f"{os.path.relpath(folder, project)}/{file} {entry.st_size} {entry.st_mtime_ns}")
    return blake2b("\n".join(sorted(found)).encode(), digest_size=8).hexdigest()


def read_manifest(path: Path) -> Manifest:
    """Read a manifest, once for each of its writings.

    Raises:
        FileNotFoundError: There is no manifest.
    """
    try:
        written = path.stat()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no dbt manifest {path}; make it with `make setup`, or "
            f"`dbt parse --no-partial-parse` in {path.parents[1]}"
        ) from None
    return _read(path, written.st_mtime_ns, written.st_size)


@lru_cache(maxsize=1)
def _read(path: Path, modified: int, size: int) -> Manifest:
    """The time and the size say which writing of the file is meant."""
    return msgspec.json.decode(path.read_bytes(), type=Manifest)


def stale_models(include: Path, source_ids: Iterable[str]) -> dict[str, list[Problem]]:
    """The sources whose models the manifest does not know, or knows though they are gone.

    Their DAGs would silently leave those models out: a stage without tasks succeeds.

    Args:
        include: The include folder.
        source_ids: The sources; those without models of their own are not looked at.

    Returns:
        One problem for each such file, by source.
    """
    path = manifest_path(include)
    wanted = [s for s in source_ids if (include / "dbt" / "models" / "staging" / s).is_dir()]
    if not wanted or not path.is_file():
        return {}
    manifest, project = read_manifest(path), include / "dbt"
    known = _known(manifest)
    found = {s: [*_unknown(project, s, known), *_gone(project, s, manifest, s)] for s in wanted}
    return {source: problems for source, problems in found.items() if problems}


def stale_warehouse(include: Path, dag_id: str) -> list[Problem]:
    """The models of no source alone that the manifest does not know, or knows though they are gone.

    Args:
        include: The include folder.
        dag_id: The DAG that runs them.
    """
    path, project = manifest_path(include), include / "dbt"
    if not path.is_file():
        return []
    manifest, models = read_manifest(path), project / "models"
    folders = [models / "intermediate", *(models / "marts" / domain for domain in DOMAINS)]
    known = _known(manifest)
    unknown = [p for folder in folders for p in _unlisted(project, folder, "**/*.sql", dag_id, known)]
    return [*unknown, *_gone(project, DAILY, manifest, dag_id)]


def _known(manifest: Manifest) -> set[str]:
    disabled = {node.original_file_path for nodes in manifest.disabled.values() for node in nodes}
    return disabled | {node.original_file_path for node in manifest.nodes.values()}


def _unknown(project: Path, source: str, known: set[str]) -> Iterator[Problem]:
    for layer in ("staging", "marts"):
        yield from _unlisted(project, project / "models" / layer / source, "*.sql", source, known)


def _unlisted(project: Path, folder: Path, files: str, dag_id: str, known: set[str]) -> Iterator[Problem]:
    for file in sorted(folder.glob(files)):
        if file.relative_to(project).as_posix() not in known:
            yield _problem(
                file, dag_id, "is not in the dbt manifest, so that DAG {} would leave it out", project
            )


def _gone(project: Path, tag: str, manifest: Manifest, dag_id: str) -> Iterator[Problem]:
    for name in sorted({manifest.nodes[node].original_file_path for node in manifest.tagged().get(tag, ())}):
        if not (project / name).is_file():
            yield _problem(
                project / name,
                dag_id,
                "is gone, but the dbt manifest still has it as a task of DAG {}",
                project,
            )


def _problem(file: Path, dag_id: str, what: str, project: Path) -> Problem:
    message = (
        f"this model {what.format(dag_id)}; write the manifest anew: `make setup`, or "
        f"`dbt parse --no-partial-parse` in {shown(project)}, and upload target/manifest.json"
    )
    return Problem(shown(file), 1, 1, message)
