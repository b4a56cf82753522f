"""The ledger as a person reads it: every partition of a range, the missing ones too. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hourglass.partition import Grain, Partition
from hourglass.partition.sweep import partitions_between

COUNTS = ("lines", "silver", "quarantined", "duplicates", "published_rows")


@dataclass(frozen=True, slots=True)
class Entry:
    """One partition.

    Args:
        partition: Its key.
        state: published, failed, skipped or overdue, as the newest row says; `gap` where there is no row though
            the partition has closed; `open` before that.
        counts: The newest row's counts, by column.
        generation: How many manifests it has had.
        manifest_hash: SHA-256 of the manifest that was processed.
        run_id: The Airflow run that wrote the newest row.
        attempt: Its attempt.
        age: How long after the partition's end the newest row was written.
        warnings: What warned.
        next_step: What to do, empty when nothing.
    """

    partition: str
    state: str
    counts: Mapping[str, int | None]
    age: timedelta | None
    warnings: tuple[str, ...]
    next_step: str
    generation: int | None = None
    manifest_hash: str | None = None
    run_id: str | None = None
    attempt: int | None = None

    def values(self) -> dict[str, Any]:
        """The entry as JSON values; the age in seconds."""
        return {
            "partition": self.partition,
            "state": self.state,
            **self.counts,
            "generation": self.generation,
            "manifest_hash": self.manifest_hash,
            "run_id": self.run_id,
            "attempt": self.attempt,
            "age_seconds": None if self.age is None else int(self.age.total_seconds()),
            "warnings": list(self.warnings),
            "next_step": self.next_step,
        }


def history(
    source_id: str,
    grain: Grain,
    rows: Iterable[Mapping[str, Any]],
    span: tuple[datetime, datetime],
    close_after: timedelta,
    now: datetime,
) -> Iterator[Entry]:
    """Every partition of a range in order, whether the ledger has a row of it or not.

    Args:
        source_id: The source's id.
        grain: Its grain.
        rows: The newest ledger row of each partition.
        span: The first start, and the first start that is not wanted.
        close_after: How long after its end a partition closes.
        now: The current time.
    """
    found = {row["partition"]: row for row in rows}
    for partition in partitions_between(grain, *span):
        row = found.get(partition.key)
        yield (
            _recorded(source_id, partition, row) if row else _missing(source_id, partition, close_after, now)
        )


def admit_command(source_id: str, key: str) -> str:
    """The command that runs a partition over the files it has now, however late they came."""
    return f"""airflow dags trigger {source_id} --conf '{{"partition": "{key}"}}'"""


def _recorded(source_id: str, partition: Partition, row: Mapping[str, Any]) -> Entry:
    return Entry(
        partition.key,
        row["state"],
        {name: row.get(name) for name in COUNTS},
        row["recorded_at"] - partition.end,
        tuple(json.loads(row.get("warnings") or "[]")),
        _next_step(source_id, partition.key, row),
        **{name: row.get(name) for name in ("generation", "manifest_hash", "run_id", "attempt")},
    )


def _next_step(source_id: str, key: str, row: Mapping[str, Any]) -> str:
    if row["state"] == "failed":
        stage = row.get("failed_stage") or "sense"
        return f"read the message of the failed task in `{stage}`, then clear `{stage}` and downstream"
    if row["state"] == "overdue":
        return f"{admit_command(source_id, key)} runs it over the files that it has now"
    if row["state"] == "published" and row.get("manifest_hash") is None:
        return "clear `sense` and downstream, or leave it to the sweeper while the late window is open"
    return ""


def _missing(source_id: str, partition: Partition, close_after: timedelta, now: datetime) -> Entry:
    nothing = dict.fromkeys(COUNTS)
    closes = partition.end + close_after
    if now < closes:
        return Entry(partition.key, "open", nothing, None, (), f"closes at {closes:%Y-%m-%d %H:%M} UTC")
    advice = "look for its run in the UI; where there is none: " + admit_command(source_id, partition.key)
    return Entry(partition.key, "gap", nothing, None, (), advice)
