"""`compile`: a source's dbt models, from its YAML and schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import typer

from hourglass.compile.artifact import State
from hourglass.compile.project import Compiler, Finding, Report, write
from hourglass.config.errors import did_you_mean, shown
from hourglass.config.loader import load_sources
from hourglass.config.platform import include_folder

_HEALED = (State.MISSING, State.STALE, State.ORPHANED)


def run(chosen: Sequence[str], *, check: bool) -> int:
    """Write the models of sources, or say which are not as they should be.

    Args:
        chosen: Sources; all of them when empty.
        check: Write nothing.

    Returns:
        The exit status: 1 if a source is broken, a file was edited below its marker, or `check` finds a file
        that is not as it should be.
    """
    include = include_folder()
    root = include / "dbt"
    loaded = load_sources(include)
    sound = [source.id for source in loaded.sources]
    broken = _broken(loaded.problems, chosen) + _unknown(chosen, include)
    report = Compiler(root, loaded.sources).compile(chosen or sound)
    errors = [
        f"{shown(include / 'sources' / f'{source}.yaml')}: error: {text}"
        for source, text in report.errors.items()
    ]
    for message in broken + errors:
        typer.echo(message, err=True)
    for finding in report.findings:
        if finding.state in _HEALED and not check:
            write(root, finding)
        if line := _line(root, finding, check=check):
            typer.echo(line)
    _summary(report, check=check)
    failing = {State.EDITED, *(_HEALED if check else ())}
    return int(bool(broken or errors) or any(f.state in failing for f in report.findings))


def _broken(problems: Sequence[object], chosen: Sequence[str]) -> list[str]:
    return [str(p) for p in problems if not chosen or any(f"/{c}" in str(p).split(":")[0] for c in chosen)]


def _unknown(chosen: Sequence[str], include: Path) -> list[str]:
    known = [path.stem for path in (include / "sources").glob("*.yaml")]
    return [f"there is no source {c!r}{did_you_mean(c, known)}" for c in chosen if c not in known]


def _line(project: Path, finding: Finding, *, check: bool) -> str | None:
    path, command = shown(project / finding.path), f"python -m hourglass compile {finding.source}"
    if finding.state in _HEALED and not check:
        return f"{path} {'removed' if finding.artifact is None else 'written'}"
    return {
        State.MISSING: f"{path} is missing; run {command}",
        State.STALE: f"{path} is stale; run {command}",
        State.ORPHANED: f"{path} is made by nothing any more; run {command}, which removes it",
        State.EDITED: f"{path} was edited below its first line, and is left as it is: delete that line to keep the "
        f"edit and own the file, or delete the file and run {command}",
        State.OWNED: f"{path} has no marker: it belongs to people, and is left as it is",
    }.get(finding.state)


def _summary(report: Report, *, check: bool) -> None:
    ids, found = report.sources, report.findings
    counts = Counter(finding.state for finding in found)
    done = "to write" if check else "written"
    changed = sum(counts[state] for state in _HEALED)
    typer.echo(
        f"{len(ids)} source{'s' if len(ids) != 1 else ''}, {len(found)} files: {counts[State.CURRENT]} up to date, "
        f"{changed} {done}, {counts[State.OWNED]} owned by people, {counts[State.EDITED]} edited"
    )
