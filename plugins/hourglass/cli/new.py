"""`new`: a source's files, from a sample of its data where there is one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hourglass.cli import templates
from hourglass.cli.infer import Inferred, Note, infer
from hourglass.cli.sample import Sample, SampleError, Shape, read_sample
from hourglass.config.errors import ConfigError, Problem, shown
from hourglass.config.loader import load_sources, source_files
from hourglass.config.platform import include_folder

if TYPE_CHECKING:
    from hourglass.config.source import Source

INDEX = "# Sources\n\nOne page a source, written by `python -m hourglass new` and kept by people.\n\n"


def run(source_id: str, sample: Path | None, location: str | None, *, daily: bool) -> int:
    """Write the files of a new source.

    Args:
        source_id: Its id.
        sample: A file of the source's data to infer the schema from.
        location: Where it lands.
        daily: Partitions of one day instead of one hour.

    Returns:
        The exit status.
    """
    include = include_folder()
    paths = _paths(include, source_id)
    if there := [path for path in paths if path.exists()]:
        names = ", ".join(map(shown, there))
        typer.echo(f"nothing was written: {names} exist; remove them or choose another id", err=True)
        return 1
    try:
        read = read_sample(sample) if sample else None
    except SampleError as error:
        typer.echo(f"nothing was written: {error}", err=True)
        return 1
    found = infer(read) if read else Inferred(templates.FIELDS, [], ["event_id"], "event_timestamp")
    source = _write(include, paths, source_id, found, read, location, daily)
    paths[2].parent.mkdir(parents=True, exist_ok=True)
    paths[2].write_text(templates.suite_text(source), "utf-8")
    paths[3].parent.mkdir(parents=True, exist_ok=True)
    paths[3].write_text(templates.page_text(source), "utf-8")
    _add_to_index(paths[3], source)
    _report(paths, found.notes, read, source_id)
    return 0


def _paths(include: Path, source_id: str) -> list[Path]:
    return [
        include / "sources" / f"{source_id}.yaml",
        include / "schemas" / source_id / f"{templates.FIRST_VERSION}.json",
        include / "expectations" / f"{source_id}.yaml",
        include.parent / "docs" / "sources" / f"{source_id}.md",
    ]


def _write(
    include: Path,
    paths: Sequence[Path],
    source_id: str,
    found: Inferred,
    sample: Sample | None,
    location: str | None,
    daily: bool,
) -> Source:
    """Write YAML and schema, and take them back if they are no sound source (such as a taken location).

    Raises:
        ConfigError: They are not.
    """
    text = templates.source_text(
        source_id,
        location=location or f"gs://hourglass-raw/{source_id}/",
        daily=daily,
        shape=sample.shape if sample else Shape(gzipped=True),
        found=found,
    )
    others = source_files(include)
    paths[1].parent.mkdir(parents=True, exist_ok=True)
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    paths[0].write_text(text, "utf-8")
    paths[1].write_text(templates.schema_text(source_id, found.fields), "utf-8")
    loaded = load_sources(include, [*others, paths[0]])
    mine = [source for source in loaded.sources if source.id == source_id]
    if mine:
        return mine[0]
    names = {shown(path) for path in paths[:2]}
    for path in paths[:2]:
        path.unlink()
    if not any(paths[1].parent.iterdir()):
        paths[1].parent.rmdir()
    first = Problem(next(iter(sorted(names))), 0, 0, "nothing was written, because it would not be sound:")
    raise ConfigError([first, *(p for p in loaded.problems if p.file in names)])


def _add_to_index(page: Path, source: Source) -> None:
    index = page.with_name("README.md")
    text = index.read_text("utf-8") if index.is_file() else INDEX
    line = f"- [{source.file.display_name}]({page.name})\n"
    if line not in text:
        index.write_text(text + line, "utf-8")


def _report(paths: Sequence[Path], notes: Sequence[Note], sample: Sample | None, source_id: str) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    if sample:
        more = " (the file has more)" if sample.cut else ""
        bad = f", {sample.bad} lines that are no records" if sample.bad else ""
        repeats = f", {sample.repeats} exact repeats" if sample.repeats else ""
        kind = f"{sample.shape.kind.replace('_', ' ')}{', gzip' if sample.shape.gzipped else ''}"
        console.print(
            f"{kind}: {sample.lines} records read{more}{repeats}{bad}; a field that is always there"
        )
        console.print(
            f"in them is missing in fewer than {min(1.0, 3 / sample.lines):.1%} of all, with 95 % confidence"
        )
        table = Table("field", "inferred", "sure", "why", show_edge=False, pad_edge=False)
        colour = {"high": "green", "medium": "yellow", "low": "red"}
        for note in notes:
            sure = f"[{colour[note.sure]}]{note.sure}[/]"
            table.add_row(escape(note.subject), escape(note.answer), sure, escape(note.why))
        console.print(table)
    for path in paths:
        console.print(f"{shown(path)} written")
    console.print(f"next: say in {shown(paths[0])} what one record is, and correct what is not sure; then")
    console.print(f"      make validate FILES={source_id} && make try SOURCE={source_id} SAMPLE=FILE")
