"""What the ledger would say of a partition, told from the files and rows that its last batch left. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from hourglass.ledger.row import LedgerRow, as_json
from hourglass.partition import Counts, Partition

REBUILT = "rebuilt__"
_CAUTION = "rebuilt from Cloud Storage and BigQuery: whether transform and serve ended well is not known"


@dataclass(frozen=True, slots=True)
class Batch:
    """A refine batch, by what it left.

    Args:
        batch_id: Its id.
        written: When its newest file was written: the outcome, else the spec.
        spec: The spec file's content, None when it is gone.
        outcome: The outcome file's content, None when the batch never ended well.
    """

    batch_id: str
    written: datetime
    spec: Mapping[str, Any] | None
    outcome: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is there of one partition, the ledger aside.

    Args:
        manifests: The hashes of its manifests, in the order in which they were written.
        batch: Its newest batch.
        published: Rows of the published table, and of the published quarantine.
    """

    manifests: Sequence[str]
    batch: Batch
    published: tuple[int, int] = field(default=(0, 0))


def derived(source: str, partition: Partition, found: Evidence) -> LedgerRow:
    """The row for a partition.

    Published means that both published tables have as many rows as the newest outcome says: a partition's rows
    are a function of its manifest and its configuration, and publishing replaces them as a whole.

    Args:
        source: The source's id.
        partition: The partition.
        found: What is there.
    """
    batch, outcome = found.batch, found.batch.outcome or {}
    state, failed_stage = _state(found)
    counts = outcome.get("counts") or {}
    manifest = _manifest(batch)
    objects = (batch.spec or {}).get("manifest", {}).get("objects")
    return LedgerRow(
        source=source,
        partition=partition.key,
        landing_hour=partition.start,
        grain=str(partition.grain),
        state=state,
        failed_stage=failed_stage,
        run_id=f"{REBUILT}{batch.batch_id}",
        attempt=1,
        recorded_at=batch.written,
        manifest_hash=manifest,
        generation=found.manifests.index(manifest) + 1 if manifest in found.manifests else None,
        schema_version=outcome.get("schema_version"),
        batch_id=batch.batch_id if outcome else None,
        objects=None if objects is None else len(objects),
        bytes=None if objects is None else sum(o["size"] for o in objects),
        lines=counts.get("lines"),
        silver=counts.get("silver"),
        quarantined=counts.get("quarantined"),
        duplicates=counts.get("duplicates"),
        published_rows=found.published[0] if state == "published" else None,
        event_dates=tuple(date.fromisoformat(d) for d in outcome.get("event_dates", ())),
        warnings=as_json([_CAUTION] if state == "published" else []),
    )


def _state(found: Evidence) -> tuple[str, str | None]:
    if found.batch.outcome is None:
        return "failed", "refine"
    counts = Counts.from_mapping(found.batch.outcome["counts"])
    if found.published == (counts.silver, counts.quarantined):
        return "published", None
    return "failed", "gate"


def _manifest(batch: Batch) -> str | None:
    if batch.outcome is not None:
        return str(batch.outcome["manifest_hash"])
    return str(batch.spec["manifest"]["hash"]) if batch.spec else None
