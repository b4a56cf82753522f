"""The commands, each importing what it needs when it runs."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="hourglass",
    help="One YAML and one schema file per source become one Airflow DAG.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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
        typer.Option("--from", help="A file of JSON lines, plain or gzip, to infer the schema from."),
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


def main() -> None:
    """Run the command line; a mistake in a configuration is a message, not a traceback."""
    from hourglass.config.errors import ConfigError

    try:
        app()
    except ConfigError as error:
        typer.echo(str(error), err=True)
        sys.exit(1)
