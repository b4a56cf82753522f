"""`generate`: data for one partition of a source, with a tally of what the pipeline must make of it."""

from __future__ import annotations

from pathlib import Path

import typer

from hourglass.config.errors import shown
from hourglass.config.loader import load_source
from hourglass.generate.core import GenerateError, Rates
from hourglass.generate.write import generate, tally_file
from hourglass.partition import Partition


def run(
    source_id: str,
    key: str,
    folder: Path,
    *,
    rows: int,
    seed: int,
    rates: tuple[float, float, float],
    objects: int,
) -> int:
    """Write one partition and say what is in it.

    Args:
        source_id: The source's id.
        key: The partition's key.
        folder: What stands for the bucket.
        rows: Good rows.
        seed: The same arguments write the same bytes.
        rates: Shares of late, repeated and bad ones.
        objects: How many objects a prefix gets.

    Returns:
        The exit status.
    """
    source = load_source(source_id)
    try:
        partition = Partition.parse(key, source.grain)
        tally = generate(source, partition, folder, rows, Rates(*rates), seed, objects)
    except (GenerateError, ValueError) as error:
        typer.echo(f"nothing was generated: {error}", err=True)
        return 1
    typer.echo(
        f"{tally.lines} lines: {tally.silver} good ({tally.late} late), {tally.duplicates} repeated, "
        f"{tally.quarantined} bad"
    )
    for reason, number in sorted(tally.reasons.items()):
        typer.echo(f"  {number:>6}  {reason}")
    typer.echo(f"{shown(tally_file(folder, source, partition))} written, and the data beside it")
    return 0
