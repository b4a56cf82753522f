"""`try`: a source's refine and gate on local files, and what came of it on one screen."""

from __future__ import annotations

import io
import logging
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hourglass.cli.sample import SampleError, Shape, read_records
from hourglass.config.loader import load_source
from hourglass.config.platform import Platform
from hourglass.partition import Partition

if TYPE_CHECKING:
    from hourglass.cli.trial import Result
    from hourglass.config.source import Source

_WIDTH = 200  # of what goes into a file or a pipe
_VALUE = 44  # characters of a value
_LINE = 90  # characters of a quarantined line
_MAKE = "`make try SOURCE=… SAMPLE=…` starts the local cloud and uses it"
_COLOUR = {"critical": "red", "warning": "yellow", "info": "dim"}


def run(source_id: str, samples: Sequence[Path], key: str | None) -> int:
    """Try a source.

    Args:
        source_id: The source's id.
        samples: Files as they would land.
        key: The partition they are taken for; told from the sample by default.

    Returns:
        The exit status: 0 when the gate would let the partition through.
    """
    source = load_source(source_id)
    if source.file.ingestion.pattern == "bigquery_export":
        typer.echo(f"{source.id} is read where it lies in BigQuery: there is no file to try", err=True)
        return 1
    try:
        platform = Platform.from_env()
        for sample in samples:
            _check(source, sample)
        given = Partition.parse(key, source.grain) if key else None
    except ValueError as error:  # a SampleError is one too
        typer.echo(f"nothing was tried: {error}\n{_MAKE}", err=True)
        return 1
    _silence()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH)
    began = time.monotonic()
    result = _try(console, source, platform, samples, given)
    if result is None:
        return 1
    _show(console, source, result)
    console.print(f"{_timings(result)}; {time.monotonic() - began:.1f} s in all", style="dim")
    return 0 if result.passes else 1


def _try(
    console: Console, source: Source, platform: Platform, samples: Sequence[Path], given: Partition | None
) -> Result | None:
    """Run the trial; None when it could not be run to its end, which has been said then."""
    with console.status("starting the clients") as status:
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        from hourglass.cli.trial import Trial, TrialError, likely_partition

        partition = given or likely_partition(source, samples)
        why = "most of its events" if source.event_time else "the last that has ended"
        console.print(
            f"{source.id}, taken for {partition.key} ({'as given' if given else why}), "
            f"in project {platform.project}; nothing is published"
        )
        try:
            # Great Expectations draws bars of its own across the screen.
            with redirect_stderr(io.StringIO()):
                return Trial(source, platform, partition, status.update).run(samples)
        except TrialError as error:
            console.print(escape(str(error)), style="red")
        except (GoogleAPIError, GoogleAuthError, OSError) as error:
            console.print(escape(f"the cloud refuses: {error}\n{_MAKE}"), style="red")
    return None


def _check(source: Source, sample: Path) -> None:
    """Refuse a file that is not written as the YAML says.

    Raises:
        SampleError: It is not, or cannot be read.
    """
    ingestion = source.file.ingestion
    if ingestion.format == "avro":
        if sample.open("rb").read(4) != b"Obj\x01":
            raise SampleError(f"{sample} is no Avro file, but {source.id}.yaml says format: avro")
        return
    shape, _ = read_records(sample)
    wanted = "json_array" if ingestion.multiline else ingestion.format
    for said, found in (
        (wanted == "parquet", shape.kind == "parquet"),
        (wanted == "json_array", shape.kind == "json_array"),
        (ingestion.compression == "gzip", shape.gzipped),
    ):
        if said != found:
            raise SampleError(
                f"{sample} is {_words(shape)}, but {source.id}.yaml says {wanted.replace('_', ' ')}, "
                f"compression {ingestion.compression}; correct the file or the YAML"
            )


def _words(shape: Shape) -> str:
    return f"{shape.kind.replace('_', ' ')}{', gzip' if shape.gzipped else ', not compressed'}"


def _silence() -> None:
    """The libraries' own words are no news here: findings and failures are printed."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def _show(console: Console, source: Source, result: Result) -> None:
    counts = result.refined["counts"]
    console.print(
        f"\n[bold]{counts['lines']} lines[/] = {counts['silver']} silver + {counts['quarantined']} quarantined + "
        f"{counts['duplicates']} duplicates"
    )
    for name, found in result.refined["unknown_fields"].items():
        console.print(f"  unknown field {escape(str(name))}: in {found} rows, kept in unknown_fields")
    if result.quarantined:
        console.print(_quarantined(result))
    _gate(console, source, result)
    if result.silver:
        console.print(_silver(result.silver))


def _quarantined(result: Result) -> Table:
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(result.refined["reasons"].items()))
    table = Table("reason", "field", "line", "as read", title=f"quarantined: {reasons}", title_justify="left")
    for row in result.quarantined:
        raw = bytes(row["raw_line"] or b"").decode("utf-8", "replace")
        place = f"{row['source_object'].rsplit('/', 1)[-1]}:{row['source_line']}"
        table.add_row(*map(escape, (row["reason"], row["field"] or "", place, _cut(raw, _LINE))))
    return table


def _gate(console: Console, source: Source, result: Result) -> None:
    verdict = "[green]the gate lets it through[/]" if result.passes else "[red]the gate stops it[/]"
    console.print(f"\n{verdict}: {result.evaluated} expectations evaluated, {len(result.findings)} findings")
    if result.problem:
        console.print(escape(f"  {result.problem}"), style="red")
    for finding in result.findings:
        console.print(escape(f"  {finding}"), style=_COLOUR.get(finding.severity))
    if not result.evaluated:
        console.print(f"  include/expectations/{source.id}.yaml has none", style="dim")


def _silver(rows: list[dict[str, Any]]) -> Table:
    titles = [f"row {n}" for n in range(1, len(rows) + 1)]
    table = Table("column", *titles, title="the first silver rows", title_justify="left")
    for path in _paths(rows):
        values = [_at(row, path) for row in rows]
        if any(value is not None for value in values):
            table.add_row(escape(".".join(path)), *(escape(_cut(_text(v), _VALUE)) for v in values))
    return table


def _paths(rows: list[dict[str, Any]], prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The columns, those of records one by one."""
    found: list[tuple[str, ...]] = []
    for name in dict.fromkeys(name for row in rows for name in row):
        inner = [row[name] for row in rows if isinstance(row.get(name), dict)]
        found += _paths(inner, (*prefix, name)) if inner else [(*prefix, name)]
    return found


def _at(row: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat(" ") if isinstance(value, datetime) else str(value)


def _cut(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _timings(result: Result) -> str:
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in result.seconds.items())
