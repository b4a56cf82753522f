"""What is really there after a settling, read from the local cloud, and how it is compared with the oracle."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from google.api_core.exceptions import NotFound
from google.cloud import bigquery, bigtable

from tests.chaos import oracle
from tests.chaos.oracle import Outcome, Row
from tests.chaos.world import SOURCE, Partition

FAMILY = "ride_city"
TABLE = "features"


class ViolationError(AssertionError):
    """A law is broken."""


@dataclass
class Found:
    """What the local cloud has of the source."""

    silver: dict[datetime, list[Row]] = field(default_factory=dict)
    quarantine: dict[datetime, list[Row]] = field(default_factory=dict)
    ledger: dict[datetime, Row] = field(default_factory=dict)
    gold: dict[tuple[str, str], tuple[int, Decimal]] = field(default_factory=dict)
    features: dict[tuple[int, str], Row] = field(default_factory=dict)


def look() -> Found:
    """Read everything of the source, whichever partition it belongs to."""
    found = Found()
    every = "WHERE landing_hour >= '1970-01-01'"
    for row in query(f"SELECT * FROM silver.{SOURCE} {every}"):
        found.silver.setdefault(row["landing_hour"], []).append(row)
    for row in query(f"SELECT * FROM quarantine.{SOURCE} {every}"):
        found.quarantine.setdefault(row["landing_hour"], []).append(row)
    ledger = (
        f"SELECT * FROM ops.partition_ledger {every} AND source = '{SOURCE}' ORDER BY recorded_at, attempt"
    )
    found.ledger = {row["landing_hour"]: row for row in query(ledger)}
    for row in query(f"SELECT * FROM gold.{SOURCE} WHERE date >= '1970-01-01'"):
        key = (f"{row['date']}", row["city"])
        if key in found.gold:
            raise ViolationError(f"gold has two rows for {key}")
        found.gold[key] = (row["rides"], row["fares"])
    found.features = features()
    return found


def query(sql: str) -> list[Row]:
    """The rows of a query; none where the table does not exist yet."""
    client = bigquery.Client(location="US")
    try:
        return [dict(r.items()) for r in client.query(sql).result()]
    except NotFound:
        return []


def features() -> dict[tuple[int, str], Row]:
    """Every feature row in Bigtable by its as-of time and entity."""
    client = bigtable.Client(project=os.environ["HOURGLASS_PROJECT"], admin=True)
    table = client.instance(os.environ["HOURGLASS_BIGTABLE_INSTANCE"]).table(TABLE)
    rows: dict[tuple[int, str], Row] = {}
    try:
        for row in table.read_rows():
            if row.row_key.startswith(b"~"):  # heads, which are no entities
                continue
            entity = row.row_key.decode().split("#")[1]
            for name, cells in row.cells.get(FAMILY, {}).items():
                for cell in cells:
                    at = cell.timestamp_micros // 1000
                    rows.setdefault((at, entity), {})[name.decode()] = json.loads(cell.value)
    except NotFound:
        return {}
    return rows


def compare_silver(partition: Partition, expected: Outcome | None, found: Found) -> None:
    """Published rows and quarantine of a partition, row for row.

    Raises:
        ViolationError: They are not what the files come to.
    """
    rows = {r["ride_id"]: r for r in found.silver.get(partition.start, [])}
    if len(rows) != len(found.silver.get(partition.start, [])):
        raise ViolationError(f"{partition.key}: a ride is published twice")
    wanted = expected.silver if expected else {}
    same(f"{partition.key} silver", wanted, {k: _plain(r, wanted.get(k)) for k, r in rows.items()})
    bad = [
        (r["source_object"], r["source_line"], r["reason"]) for r in found.quarantine.get(partition.start, [])
    ]
    if len(bad) != len(set(bad)):
        raise ViolationError(f"{partition.key}: a line is quarantined twice")
    same(f"{partition.key} quarantine", expected.quarantined if expected else set(), set(bad))


def _plain(row: Row, like: Row | None) -> Row:
    unknown = json.loads(row["unknown_fields"]) if row.get("unknown_fields") else None
    names = like or row
    return {name: row.get(name) for name in names} | {"unknown_fields": unknown}


def compare_features(partition: Partition, expected: Outcome | None, found: Found) -> None:
    """The partition's cells in Bigtable, row for row.

    Raises:
        ViolationError: They are not those of the published rows.
    """
    mine = {entity: row for (at, entity), row in found.features.items() if at == partition.as_of_ms}
    wanted = expected.features() if expected else {}
    same(f"{partition.key} entities", set(wanted), set(mine))
    for city, row in wanted.items():
        typed = {
            **mine[city],
            "fares": Decimal(str(mine[city]["fares"])),
            "last_at": datetime.fromisoformat(mine[city]["last_at"]),
        }
        same(f"{partition.key} features of {city}", row, typed)


def compare_ledger(partition: Partition, expected: Outcome, row: Row | None) -> None:
    """The partition's newest ledger row.

    Raises:
        ViolationError: It says something else.
    """
    if row is None:
        raise ViolationError(f"{partition.key} was run and is not in the ledger")
    state = "failed" if expected.stopped or not partition.files else "published"
    wanted: Row = {"state": state}
    if partition.files:
        wanted |= {
            "lines": expected.lines,
            "silver": len(expected.silver),
            "quarantined": len(expected.quarantined),
            "duplicates": expected.duplicates,
            "objects": len(partition.files),
            "published_rows": None if expected.stopped else len(expected.silver),
            "feature_rows": None if expected.stopped else len(expected.features()),
        }
    same(f"{partition.key} ledger", wanted, {name: row[name] for name in wanted})


def compare_gold(outcomes: list[Outcome], found: Found) -> None:
    """The gold table, row for row.

    Args:
        outcomes: Those of the published partitions, in their order.
        found: What is there.

    Raises:
        ViolationError: It is not what the published rows come to.
    """
    same("gold", oracle.gold(outcomes), found.gold)


def same(what: str, wanted: Any, found: Any) -> None:
    """Whether two values are equal.

    Raises:
        ViolationError: They differ; it says in what.
    """
    if wanted == found:
        return
    if isinstance(wanted, dict) and isinstance(found, dict):
        keys = [k for k in {**wanted, **found} if wanted.get(k) != found.get(k)]
        shown = "".join(f"\n    {k}: expected {wanted.get(k)}, found {found.get(k)}" for k in keys[:5])
        raise ViolationError(f"{what}: {len(keys)} of {len(wanted)} differ{shown}")
    if isinstance(wanted, set) and isinstance(found, set):
        raise ViolationError(
            f"{what}: missing {sorted(wanted - found)[:5]}, too many {sorted(found - wanted)[:5]}"
        )
    raise ViolationError(f"{what}: expected {wanted}, found {found}")
