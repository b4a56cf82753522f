"""The options of `quarantine list`, `show`, `replay` and `discard`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look at quarantined lines, land them again, or set them aside.", no_args_is_help=True)

MOST = 100_000


class Report(StrEnum):
    """How a report is printed."""

    TABLE = "table"
    JSON = "json"


Source = Annotated[str, typer.Argument(help="The source's id.")]
Key = Annotated[str, typer.Argument(metavar="PARTITION", help="The partition, such as 2021-07-21T06.")]
Form = Annotated[Report, typer.Option("--format", help="For people or programs.")]
Reasons = Annotated[list[str] | None, typer.Option("--reason", help="Only this reason; may be repeated.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many lines, in order of their places.")]
Run = Annotated[bool, typer.Option("--run/--no-run", help="Have Airflow run the partition afterwards.")]


@app.command("list")
def list_reasons(source: Source, partition: Key, form: Form = Report.TABLE) -> None:
    """Print a partition's reasons: how many lines are open, replayed, discarded; exit status 1 while any is open."""
    from hourglass.cli.quarantine import guarded, reasons

    raise typer.Exit(guarded(lambda: reasons(source, partition, form.value)))


@app.command()
def show(
    source: Source,
    partition: Key,
    reason: Reasons = None,
    limit: Limit = 20,
    form: Form = Report.TABLE,
    every: Annotated[bool, typer.Option("--all", help="Replayed and discarded lines too.")] = False,
) -> None:
    """Print open lines with reason and place; --format json is what `replay --from` takes."""
    from hourglass.cli.quarantine import guarded, show

    raise typer.Exit(guarded(lambda: show(source, partition, reason or [], limit, form.value, every=every)))


@app.command()
def replay(
    source: Source,
    partition: Key,
    reason: Reasons = None,
    limit: Limit = MOST,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="FIELD=SQL: give a field another value; may be repeated."),
    ] = None,
    line: Annotated[str | None, typer.Option(help="SQL for the whole text, which it calls line.")] = None,
    encoding: Annotated[str | None, typer.Option(help="What the lines are written in.")] = None,
    corrected: Annotated[
        Path | None, typer.Option("--from", help="Corrected lines, as show --format json writes them.")
    ] = None,
    why: Annotated[str | None, typer.Option(help="For the records.")] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be landed.")] = False,
    run: Run = True,
) -> None:
    """Land open lines again, repaired, as a new object of their partition, and run it."""
    from hourglass.cli import quarantine as it

    def command() -> int:
        repair = it.repair_of(sets or [], line, encoding, corrected)
        return it.replay(
            source, partition, repair, wanted=reason or [], limit=limit, why=why, dry=dry, run=run
        )

    raise typer.Exit(it.guarded(command))


@app.command()
def discard(
    source: Source,
    partition: Key,
    why: Annotated[str, typer.Option(help="For the records.")],
    reason: Reasons = None,
    limit: Limit = MOST,
    run: Run = True,
) -> None:
    """Set open lines aside: the gate counts them no more; they stay in the quarantine."""
    from hourglass.cli.quarantine import discard, guarded

    raise typer.Exit(
        guarded(lambda: discard(source, partition, wanted=reason or [], limit=limit, why=why, run=run))
    )
