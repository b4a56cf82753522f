"""All generated files of a dbt project, compared with those on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hourglass.compile import gold, marts, staging
from hourglass.compile.artifact import Artifact, State, marker_of
from hourglass.compile.columns import Column
from hourglass.compile.joins import Tables
from hourglass.compile.nodes import Project
from hourglass.compile.query import Query
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


@dataclass
class Report:
    """What compiling some sources comes to.

    Args:
        sources: The ids of the sources, those included that the chosen ones join.
        findings: Every file.
        errors: Why a source cannot be compiled, by its id.
    """

    sources: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)


class Compiler:
    """Makes the files of sources; what one source's are may depend on others.

    Args:
        root: The dbt project.
        sources: All sound sources.
    """

    def __init__(self, root: Path, sources: Sequence[Source]) -> None:
        self._root = root
        self._sources = {source.id: source for source in sources}
        self._read = dict(_reads(sources))
        self._tables = Tables(Project(root), self._sources, self._gold_columns)
        self._queries: dict[str, Query | None] = {}
        self._open: list[str] = []

    def compile(self, chosen: Iterable[str]) -> Report:
        """Compare the files of sources, and of those whose gold tables they read, with those on disk.

        Args:
            chosen: The ids of the sources.
        """
        report = Report(sorted(self._closure(chosen)))
        for source_id in report.sources:
            try:
                made = self.artifacts(self._sources[source_id])
            except gold.GoldError as error:
                report.errors[source_id] = str(error)
                continue
            report.findings += [Finding(a.path, source_id, a.state(self._root), a) for a in made]
        paths = {f.path for f in report.findings}
        left = set(report.sources) - set(report.errors)
        report.findings += [f for f in _orphans(self._root, left) if f.path not in paths]
        return report

    def artifacts(self, source: Source) -> list[Artifact]:
        """The files of one source.

        Args:
            source: The source.

        Raises:
            GoldError: Its silver_to_gold or its views cannot be written as SQL.
        """
        written = staging.artifacts(source)
        by_hand = self._by_hand(source.id)
        if by_hand and _views_of_staging(source):
            raise gold.GoldError(
                f"views of {source.id} need the staging model {staging.model_name(source.id)}, but people write "
                f"{staging.folder(source.id)}; remove the flags under serving, or write the views by hand too"
            )
        made = marts.artifacts(source, self._query(source.id), self._tables)
        return made if by_hand else [*written, *made]

    def _closure(self, chosen: Iterable[str]) -> set[str]:
        waiting, found = list(chosen), set[str]()
        while waiting:
            source_id = waiting.pop()
            if source_id not in found and source_id in self._sources:
                found.add(source_id)
                waiting += [name for name, _ in _reads([self._sources[source_id]])]
        return found

    def _query(self, source_id: str) -> Query | None:
        if source_id in self._open:
            circle = " -> ".join([*self._open, source_id])
            raise gold.GoldError(f"the gold tables join each other in a circle: {circle}")
        if source_id not in self._queries:
            self._open.append(source_id)
            try:
                self._queries[source_id] = self._made(self._sources[source_id])
            finally:
                self._open.pop()
        return self._queries[source_id]

    def _made(self, source: Source) -> Query | None:
        if source.file.processing.silver_to_gold:
            return gold.gold_query(source, self._tables)
        return gold.current_query(source, self._read[source.id]) if source.id in self._read else None

    def _gold_columns(self, source_id: str) -> list[Column] | None:
        if source_id not in self._sources:
            return None
        query = self._query(source_id)
        return gold.final_columns(query) if query else None

    def _by_hand(self, source_id: str) -> bool:
        """Whether people write the staging folder: it has models, but not the one that compile would write."""
        folder = self._root / staging.folder(source_id)
        return any(folder.glob("*.sql")) and not (folder / f"{staging.model_name(source_id)}.sql").exists()


def _views_of_staging(source: Source) -> bool:
    """Whether views of a source read its staging model."""
    serving = source.file.serving
    asked = serving.third_party_api or serving.reporting or serving.ml_features
    return asked and not source.file.processing.silver_to_gold


def write(root: Path, finding: Finding) -> None:
    """Make a file what it should be.

    Args:
        root: The dbt project.
        finding: A missing, stale or orphaned file.
    """
    path = root / finding.path
    if finding.artifact is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(finding.artifact.text, "utf-8")


def _reads(sources: Iterable[Source]) -> Iterator[tuple[str, list[str]]]:
    """The sources whose gold tables others read, each with the columns they look rows up by."""
    for source in sources:
        for step in source.file.processing.silver_to_gold:
            if step.join and step.join.table.startswith("gold."):
                yield step.join.table.removeprefix("gold."), step.join.on
        for rule in source.file.set_rules:
            if rule.check == "referential" and (rule.table or "").startswith("gold."):
                yield str(rule.table).removeprefix("gold."), [rule.column or str(rule.field)]


def _orphans(root: Path, sources: set[str]) -> Iterator[Finding]:
    for path in sorted((root / "models").rglob("*")):
        if path.suffix not in (".sql", ".yml"):
            continue
        marker = marker_of(path.read_text("utf-8"))
        if marker and marker.source in sources:
            state = State.ORPHANED if marker.sound else State.EDITED
            yield Finding(path.relative_to(root), marker.source, state)
