"""The demo's last screen: for each hour and stage what went in, what came out and how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table


def show(console: Console, partitions: Sequence[dict[str, Any]], entity: tuple[str, dict[str, Any]]) -> None:
    """Print the screen.

    Args:
        console: Where to print.
        partitions: The numbers of `.local/demo.json`.
        entity: One entity and its features, read back from Bigtable.
    """
    for numbers in partitions:
        console.print(_table(numbers))
    name, features = entity
    console.print(f"\n[bold]Bigtable[/] github_actor, [bold]{name}[/]:")
    console.print("  " + "  ".join(f"{k}={v}" for k, v in features.items()), markup=False)
    whole = all(n["lines"] == n["silver"] + n["quarantined"] + n["duplicates"] for n in partitions)
    colour, verdict = ("green", "holds") if whole else ("red", "IS BROKEN")
    console.print(
        f"\n[{colour}]Conservation {verdict}[/]: lines = silver + quarantined + duplicates in every hour."
    )
    console.print(
        "The numbers are in .local/demo.json. Next: `make up` and open Airflow's UI, or docs/tutorial."
    )


def _table(n: dict[str, Any]) -> Table:
    table = Table(
        title=f"\n{n['source']} {n['partition']}: {n['state']} in {n['total_seconds']:.0f} s",
        title_justify="left",
    )
    for heading, justify in (("stage", "left"), ("in", "left"), ("out", "left"), ("seconds", "right")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for stage, came_in, came_out in _rows(n):
        table.add_row(stage, came_in, came_out, f"{n['seconds'].get(stage, 0.0):.1f}")
    return table


def _rows(n: dict[str, Any]) -> list[tuple[str, str, str]]:
    dbt = n["dbt"]
    return [
        ("sense", f"{n['objects']} objects, {n['bytes']:,} bytes", "1 manifest"),
        (
            "refine",
            f"{n['lines']} lines",
            f"{n['silver']} silver, {n['quarantined']} quarantined, {n['duplicates']} duplicates",
        ),
        ("gate", f"{n['silver']} candidate rows", "accounting and expectations met"),
        (
            "publish",
            f"{n['silver']} candidate rows",
            f"{n['published_rows']} published rows, {n['quarantine_rows']} quarantine rows",
        ),
        (
            "transform",
            f"{n['published_rows']} published rows",
            f"{dbt['models']} models, {dbt['tests']} tests passed",
        ),
        (
            "serve",
            "fact table, published rows",
            f"{n['view_rows']} view rows, {n['feature_rows']} feature rows",
        ),
        ("announce", "counts and timings", "1 ledger row, 1 asset event"),
    ]
