"""All generated files of a dbt project, compared with those on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hourglass.compile import staging
from hourglass.compile.artifact import Artifact, State, marker_of
from hourglass.config.source import Source


@dataclass(frozen=True)
class Finding:
    """One file and what is to be said of it.

    Args:
        path: The file, below the dbt project.
        source: The source it belongs to.
        state: What it is.
        artifact: What it should be; None for a file that nothing makes any more.
    """

    path: Path
    source: str
    state: State
    artifact: Artifact | None = None


def findings(project: Path, sources: Sequence[Source], chosen: Iterable[str]) -> list[Finding]:
    """Every generated file of the chosen sources, and every one that they no longer make.

    Args:
        project: The dbt project.
        sources: All sound sources; what one makes may depend on another.
        chosen: The ids of the sources to compile.
    """
    wanted = set(chosen)
    made = [a for s in sources if s.id in wanted for a in artifacts_of(project, s)]
    found = [Finding(a.path, a.source, a.state(project), a) for a in made]
    paths = {a.path for a in made}
    return found + [f for f in _orphans(project, wanted) if f.path not in paths]


def artifacts_of(project: Path, source: Source) -> list[Artifact]:
    """The files of one source.

    Args:
        project: The dbt project.
        source: The source.
    """
    return [] if by_hand(project, source.id) else staging.artifacts(source)


def by_hand(project: Path, source_id: str) -> bool:
    """Whether people write a source's staging folder: it has models, but not the one that compile would write.

    Args:
        project: The dbt project.
        source_id: The source.
    """
    folder = project / staging.folder(source_id)
    return any(folder.glob("*.sql")) and not (folder / f"{staging.model_name(source_id)}.sql").exists()


def write(project: Path, finding: Finding) -> None:
    """Make a file what it should be.

    Args:
        project: The dbt project.
        finding: A missing, stale or orphaned file.
    """
    path = project / finding.path
    if finding.artifact is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(finding.artifact.text, "utf-8")


def _orphans(project: Path, wanted: set[str]) -> Iterator[Finding]:
    for path in sorted((project / "models").rglob("*")):
        if path.suffix not in (".sql", ".yml"):
            continue
        marker = marker_of(path.read_text("utf-8"))
        if marker and marker.source in wanted:
            state = State.ORPHANED if marker.sound else State.EDITED
            yield Finding(path.relative_to(project), marker.source, state)
