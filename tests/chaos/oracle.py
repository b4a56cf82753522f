"""What a partition's files must come to, computed from their bytes in plain Python.

Written from the wording of the source file and of the schema, not from the Spark job or the SQL.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.chaos.world import BUCKET, LIMIT_RATE, LIMIT_ROWS, Partition

KNOWN = ("ride_id", "city", "fare", "passengers", "started_at")
SETTLED = ("replayed", "replay_outdated")
Row = dict[str, Any]


@dataclass
class Outcome:
    """What one partition comes to: silver rows by key, quarantined lines with their reasons.

    Those that were replayed are quarantined as well, with their own reason or, if they have none, that one.
    """

    lines: int = 0
    silver: dict[str, Row] = field(default_factory=dict)
    quarantined: set[tuple[str, int, str]] = field(default_factory=set)
    replayed: set[tuple[str, int]] = field(default_factory=set)
    duplicates: int = 0

    @property
    def stopped(self) -> bool:
        """Whether the gate stops it: both limits are exceeded, or ten lines and more are all bad."""
        bad = len(self.open())
        return (bad > LIMIT_ROWS and bad > LIMIT_RATE * self.lines) or bad == self.lines >= 10

    def open(self) -> set[tuple[str, int, str]]:
        """The quarantined lines about which nobody has decided."""
        return {
            (uri, line, reason)
            for uri, line, reason in self.quarantined
            if reason not in SETTLED and (uri, line) not in self.replayed
        }

    def features(self) -> dict[str, Row]:
        """Count, sum and last time by city."""
        cities: dict[str, list[Row]] = defaultdict(list)
        for row in self.silver.values():
            cities[row["city"]].append(row)
        return {
            city: {
                "rides": len(rows),
                "fares": sum(r["fare"] for r in rows),
                "last_at": max(r["started_at"] for r in rows),
            }
            for city, rows in cities.items()
        }


def expect(partition: Partition, version: str) -> Outcome:
    """Read the files in name order; of equal keys the first wins.

    Args:
        partition: The partition and its files.
        version: The schema's version, which decides what a tip is.
    """
    found = Outcome()
    settled = _settled(partition)
    for name, content in sorted(partition.files.items()):
        uri = f"gs://{BUCKET}/{partition.object_name(name)}"
        for number, line in enumerate(content.split(b"\n")[:-1], 1):
            found.lines += 1
            record, reason = _read(line, partition.start)
            decided = settled.get((name, number), "")
            if decided == "replayed":
                found.replayed.add((uri, number))
            reason = reason or decided
            if reason:
                found.quarantined.add((uri, number, reason))
            elif record["ride_id"] in found.silver:
                found.duplicates += 1
            else:
                row = _row(record, version)
                row |= {"landing_hour": partition.start, "source_object": uri, "source_line": number}
                found.silver[record["ride_id"]] = row
    return found


def _settled(partition: Partition) -> dict[tuple[str, int], str]:
    """The lines that no longer count: those that were replayed, or replays of what has been replaced since."""
    found = {}
    for name, origins in partition.replays.items():
        for number, origin in enumerate(origins, 1):
            if partition.files[origin.file] == origin.content:
                found[origin.file, origin.line] = "replayed"
            else:
                found[name, number] = "replay_outdated"
    return found


def _read(line: bytes, start: datetime) -> tuple[Row, str]:
    if not line.strip():
        return {}, "blank_line"
    try:
        record = json.loads(line, parse_float=Decimal)
    except json.JSONDecodeError as error:
        return {}, "trailing_data" if error.msg == "Extra data" else "not_json"
    if not isinstance(record.get("passengers", 0), int):
        return {}, "wrong_type"
    if any(record.get(name) is None for name in ("ride_id", "city", "fare", "started_at")):
        return {}, "missing_required"
    moment = datetime.fromisoformat(record["started_at"])
    if not start - timedelta(days=7) <= moment <= start + timedelta(hours=1, minutes=5):
        return {}, "event_time_out_of_range"
    return record, "" if record["fare"] > 0 else "positive_number_fare"


def _row(record: Row, version: str) -> Row:
    known = (*KNOWN, "tip") if version == "1.1" else KNOWN
    row = {name: record.get(name) for name in known}
    row["fare"] = Decimal(record["fare"])
    row["started_at"] = datetime.fromisoformat(record["started_at"]).astimezone(UTC)
    row["event_date"] = row["started_at"].date()
    unknown = {name: float(value) for name, value in record.items() if name not in known}
    row["unknown_fields"] = unknown or None
    row.setdefault("tip", None)  # the published table may have the column already
    return row


def gold(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], tuple[int, Decimal]]:
    """Date and city to rides and fares, over the published partitions in the order of their starts.

    A ride that was delivered again counts where it landed first, within its event date.
    """
    first: dict[tuple[Any, str], Row] = {}
    for outcome in outcomes:
        for key, row in outcome.silver.items():
            first.setdefault((row["event_date"], key), row)
    groups: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    for (date, _), row in first.items():
        groups[f"{date}", row["city"]].append(row["fare"])
    return {k: (len(fares), sum(fares, Decimal())) for k, fares in groups.items()}
