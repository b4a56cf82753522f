"""The commands, each importing what it needs when it runs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hourglass.cli import quarantine_commands

app = typer.Typer(
    name="hourglass",
    help="One YAML and one schema file per source become one Airflow DAG.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(quarantine_commands.app, name="quarantine")


class Format(StrEnum):
    """How mistakes are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


@app.command()
def validate(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Source files or ids; every source by default.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="For people, programs or GitHub.")] = Format.TEXT,
) -> None:
    """Name every mistake in source and schema files; exit status 1 if there is one."""
    from hourglass.cli.validate import run

    raise typer.Exit(run(files or [], form.value))


@app.command()
def show(
    source: Annotated[str, typer.Argument(help="The source's id.")],
    tasks: Annotated[bool, typer.Option("--tasks", help="The DAG's tasks too; imports Airflow.")] = False,
) -> None:
    """Print a source's resolved configuration, what follows from it, and its stages."""
    from hourglass.cli.show import run

    raise typer.Exit(run(source, tasks))


@app.command()
def schema(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit status 1 if stale.")] = False,
    docs: Annotated[
        bool, typer.Option("--docs", help="The reference's tables instead of the JSON Schema.")
    ] = False,
) -> None:
    """Write the JSON Schema with which editors complete source files (include/source.schema.json)."""
    from hourglass.cli.schema import run

    raise typer.Exit(run(check=check, docs=docs))


@app.command()
def new(
    source: Annotated[str, typer.Argument(help="The new source's id, such as mobile_sdk.")],
    sample: Annotated[
        Path | None,
        typer.Option("--from", help="JSON lines, a JSON array, CSV or Parquet, to infer the schema from."),
    ] = None,
    location: Annotated[
        str | None, typer.Option(help="Where the source lands; gs://hourglass-raw/SOURCE/ by default.")
    ] = None,
    daily: Annotated[
        bool, typer.Option("--daily", help="Partitions of one day instead of one hour.")
    ] = False,
) -> None:
    """Write a source's YAML, schema, expectations and page; nothing is overwritten."""
    from hourglass.cli.new import run

    raise typer.Exit(run(source, sample, location, daily=daily))


@app.command("try")
def try_source(
    source: Annotated[str, typer.Argument(help="The source's id.")],
    sample: Annotated[Path, typer.Option("--sample", help="A file as it would land.")],
    more: Annotated[list[Path] | None, typer.Argument(help="More files.")] = None,
    partition: Annotated[
        str | None, typer.Option(help="The partition they are taken for; told from the sample by default.")
    ] = None,
) -> None:
    """Run refine and gate on local files and print what comes of them; nothing is published."""
    from hourglass.cli.try_source import run

    raise typer.Exit(run(source, [sample, *(more or [])], partition))


@app.command("compile")
def compile_models(
    sources: Annotated[list[str] | None, typer.Argument(help="Sources; all of them by default.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit status 1 if stale.")] = False,
) -> None:
    """Write the dbt models of sources from their YAML and schema; a file that people own is left alone."""
    from hourglass.cli.compile import run

    raise typer.Exit(run(sources or [], check=check))


@app.command()
def generate(
    source: Annotated[str, typer.Argument(help="The source's id.")],
    to: Annotated[Path, typer.Option(help="A folder that stands for the bucket.")],
    partition: Annotated[str, typer.Option(help="The partition's key, such as 2026-01-05T06.")],
    rows: Annotated[int, typer.Option(help="Good rows; repeats and bad lines come on top.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same arguments write the same bytes.")] = 1,
    late: Annotated[float, typer.Option(help="Share of good rows that are late.")] = 0.02,
    duplicates: Annotated[float, typer.Option(help="Share of repeats that are added.")] = 0.01,
    bad: Annotated[float, typer.Option(help="Share of bad lines that are added.")] = 0.005,
    objects: Annotated[int, typer.Option(help="How many objects to write.")] = 1,
) -> None:
    """Write realistic data for one partition, and a tally of what the pipeline must make of it."""
    from hourglass.cli.generate import run

    raise typer.Exit(
        run(source, partition, to, rows=rows, seed=seed, rates=(late, duplicates, bad), objects=objects)
    )


@app.command()
def lifecycle(
    bucket: Annotated[str | None, typer.Argument(help="The bucket; every one by default.")] = None,
) -> None:
    """Print the buckets' lifecycle rules that follow from the sources' storage classes, as JSON."""
    from hourglass.cli.lifecycle import run

    raise typer.Exit(run(bucket))


features = typer.Typer(help="The feature store in Bigtable.", no_args_is_help=True)
app.add_typer(features, name="features")


@features.command()
def migrate(
    apply: Annotated[bool, typer.Option("--apply", help="Make the changes.")] = False,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Also those that remove features.")
    ] = False,
) -> None:
    """Compare Bigtable's families and their rules with the sources' feature sets; change nothing by default."""
    from hourglass.cli.features import migrate as run

    raise typer.Exit(run(apply=apply, allow_loss=allow_loss))


class Report(StrEnum):
    """How a report is printed."""

    TABLE = "table"
    JSON = "json"


@app.command()
def ledger(
    source: Annotated[str, typer.Argument(help="The source's id.")],
    first: Annotated[
        str | None, typer.Option("--from", help="First partition, such as 2021-07-21T06.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last partition; by default the current one.")
    ] = None,
    form: Annotated[Report, typer.Option("--format", help="For people or programs.")] = Report.TABLE,
    lost: Annotated[
        bool, typer.Option("--rebuild", help="First add the rows that the ledger lacks.")
    ] = False,
) -> None:
    """Print a source's partitions: state, counts, age and what to do next; gaps too."""
    from hourglass.cli.ledger import run

    raise typer.Exit(run(source, first, last, form.value, lost=lost))


def main() -> None:
    """Run the command line; a mistake in a configuration is a message, not a traceback."""
    from hourglass.config.errors import ConfigError

    try:
        app()
    except ConfigError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
