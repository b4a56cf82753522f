"""`ledger`: every partition of a source with its state, its counts, and what to do next."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hourglass.config.loader import load_source
from hourglass.config.platform import Platform
from hourglass.config.source import Source
from hourglass.ledger.history import COUNTS, Entry, history
from hourglass.ledger.rebuild import rebuild
from hourglass.ledger.store import states
from hourglass.partition import Partition

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

SHOWN = 24  # partitions, when no range is asked for
_COLOURS = {
    "published": "green",
    "failed": "red",
    "gap": "red",
    "overdue": "yellow",
    "skipped": "dim",
    "open": "dim",
}


def run(source_id: str, first: str | None, last: str | None, form: str, *, lost: bool = False) -> int:
    """Print a source's partitions.

    Args:
        source_id: The source's id.
        first: Key of the first partition; by default 24 partitions are shown.
        last: Key of the last partition; by default the one in which now lies.
        form: `table` or `json`.
        lost: Rebuild the rows that the ledger lacks first.

    Returns:
        The exit status: 1 when a partition failed, is missing, or has files that came too late.

    Raises:
        ConfigError: There is no such source.
    """
    from google.cloud.bigquery import Client

    source, now = load_source(source_id), datetime.now(tz=UTC)
    try:
        span = _span(source, first, last, now)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    platform = Platform.from_env()
    client = Client(project=platform.project, location=platform.location)
    if lost:
        _rebuild(client, platform, source)
    rows = states(client, platform, source_id, *span)
    entries = list(history(source_id, source.grain, rows, span, source.completeness.close_after, now))
    if form == "json":
        sys.stdout.write(json.dumps([e.values() for e in entries], indent=1) + "\n")
    else:
        _print(source_id, entries)
    return 1 if any(e.state in ("failed", "gap", "overdue") for e in entries) else 0


def _rebuild(client: Client, platform: Platform, source: Source) -> None:
    from google.cloud.storage import Client as Storage

    done = rebuild(Storage(project=platform.project), client, platform, source)
    # Not to the standard output, which may be read as JSON.
    sys.stderr.write(
        f"added {done.added} rows of {source.id}: {done.receipts} have a receipt, {done.derived} partitions "
        "without one were told from their files and published rows\n"
    )


def _span(source: Source, first: str | None, last: str | None, now: datetime) -> tuple[datetime, datetime]:
    newest = Partition.parse(last, source.grain) if last else Partition.containing(now, source.grain)
    if first:
        return Partition.parse(first, source.grain).start, newest.end
    start = newest.start
    for _ in range(SHOWN - 1):
        start = source.grain.floor(start - timedelta(microseconds=1))
    return start, newest.end


def _print(source_id: str, entries: Sequence[Entry]) -> None:
    table = Table(title=f"ledger of {source_id}", show_edge=False, pad_edge=False)
    for name in ("partition", "state"):
        table.add_column(name, no_wrap=True)
    for name in (*COUNTS, "manifest", "try", "age"):
        table.add_column(name.removesuffix("_rows"), justify="right")
    table.add_column("warnings, and what to do next")
    for entry in entries:
        table.add_row(
            entry.partition,
            f"[{_COLOURS.get(entry.state, '')}]{entry.state}[/]",
            *["" if entry.counts[name] is None else str(entry.counts[name]) for name in COUNTS],
            _manifest(entry),
            str(entry.attempt or ""),
            _age(entry.age),
            escape("\n".join([*entry.warnings, *([entry.next_step] if entry.next_step else [])])),
        )
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    console.print(table)
    found = Counter(e.state for e in entries)
    console.print(
        ", ".join(f"{n} {state}" for state, n in found.most_common()) or "no partition in that range"
    )


def _manifest(entry: Entry) -> str:
    """Which of the partition's manifests, and the beginning of its hash."""
    return f"{entry.generation or '?'}: {entry.manifest_hash[:8]}" if entry.manifest_hash else ""


def _age(age: timedelta | None) -> str:
    if age is None:
        return ""
    minutes = int(age.total_seconds()) // 60
    return (
        f"{minutes // 1440}d {minutes % 1440 // 60}h"
        if minutes >= 1440
        else f"{minutes // 60}h {minutes % 60}m"
    )
