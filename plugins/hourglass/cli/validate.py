"""`validate`: every mistake of every file, for people, programs and GitHub."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter

import typer

from hourglass.config.errors import ConfigError, Problem
from hourglass.config.features import load_registry
from hourglass.config.loader import load_sources, source_files
from hourglass.config.platform import include_folder
from hourglass.config.warehouse import WAREHOUSE_FILE, load_warehouse


def run(files: Sequence[Path], form: str) -> int:
    """Check the given files, or every source, and print what is wrong.

    Args:
        files: Source files or ids; all sources when empty.
        form: text, json or github.

    Returns:
        The exit status: 1 if there is a mistake.
    """
    began = perf_counter()
    named = [_file(given) for given in files]
    checked, problems = _check(named or source_files(include_folder()))
    if not named:
        problems += _of_warehouse(include_folder())
    if form == "json":
        typer.echo(json.dumps([as_json(p) for p in problems], indent=2))
    elif form == "github":
        typer.echo("\n".join(as_github(p) for p in problems), nl=bool(problems))
    else:
        for problem in problems:
            typer.echo(f"{problem}\n")
        typer.echo(_summary(problems, checked, perf_counter() - began))
    return 1 if problems else 0


def _file(given: Path) -> Path:
    """A file as given, or the file of a source's id."""
    if given.suffix in (".yaml", ".yml") or given.exists():
        return given.absolute()
    return include_folder() / "sources" / f"{given}.yaml"


def _check(files: list[Path]) -> tuple[int, list[Problem]]:
    problems: list[Problem] = []
    for include in dict.fromkeys(path.parent.parent for path in files):
        mine = [path for path in files if path.parent.parent == include]
        # The others come first, so that of two sources with one location the given one is to blame.
        others = [path for path in source_files(include) if path not in mine]
        theirs = {p for e in load_sources(include, others).errors for p in e.problems} if others else set()
        problems += [p for p in load_sources(include, [*others, *mine]).problems if p not in theirs]
    return len(files), sorted(set(problems))


def _of_warehouse(include: Path) -> list[Problem]:
    """The mistakes of the files that no source owns, where they are there."""
    problems: list[Problem] = []
    for name, load in ((WAREHOUSE_FILE, load_warehouse), ("features/registry.yaml", load_registry)):
        if (include / name).is_file():
            try:
                load(include)
            except ConfigError as error:
                problems += error.problems
    return problems


def as_json(problem: Problem) -> dict[str, object]:
    """A mistake for programs."""
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "severity": "error",
        "message": problem.message,
        "source_line": problem.source_line,
        "reference": problem.link,
    }


def as_github(problem: Problem) -> str:
    """A mistake as a GitHub workflow command, which becomes an annotation of the line."""
    place = {"file": problem.file, "line": max(1, problem.line), "col": max(1, problem.column)}
    fields = ",".join(f"{key}={_escaped(str(value), ':,')}" for key, value in place.items())
    text = f"{problem.message} (see {problem.link})" if problem.link else problem.message
    return f"::error {fields},title=hourglass::{_escaped(text, '')}"


def _escaped(text: str, more: str) -> str:
    for mark in "%\r\n" + more:
        text = text.replace(mark, f"%{ord(mark):02X}")
    return text


def _summary(problems: Iterable[Problem], checked: int, seconds: float) -> str:
    found = list(problems)
    sources = f"{checked} source{'s' if checked != 1 else ''}"
    if not found:
        return f"{sources} checked in {seconds:.2f} s: no mistakes"
    count = f"{len(found)} mistake{'s' if len(found) != 1 else ''}"
    return f"{sources} checked in {seconds:.2f} s: {count} in {len({p.file for p in found})} file(s)"
