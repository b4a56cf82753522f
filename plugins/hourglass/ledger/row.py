"""What one attempt at a partition came to. Pure: imports no Airflow and no cloud client."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, Self

STAGES = ("sense", "refine", "gate", "publish", "transform", "serve", "announce")
BROKEN = ("failed", "upstream_failed")


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One row of `ops.partition_ledger`; see include/sql/ddl/partition_ledger.sql for the columns."""

    source: str
    partition: str
    landing_hour: datetime
    grain: str
    state: str
    run_id: str
    attempt: int
    recorded_at: datetime
    failed_stage: str | None = None
    manifest_hash: str | None = None
    generation: int | None = None
    schema_version: str | None = None
    batch_id: str | None = None
    objects: int | None = None
    bytes: int | None = None
    lines: int | None = None
    silver: int | None = None
    quarantined: int | None = None
    duplicates: int | None = None
    published_rows: int | None = None
    feature_rows: int | None = None
    event_dates: tuple[date, ...] = ()
    timings: str = "{}"
    warnings: str = "[]"

    def values(self) -> dict[str, Any]:
        """The row's values by column."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def json_values(self) -> dict[str, Any]:
        """The row's values by column as JSON has them: times and dates as text."""
        values = self.values() | {"event_dates": [d.isoformat() for d in self.event_dates]}
        return {n: v.isoformat() if isinstance(v, datetime) else v for n, v in values.items()}

    def to_json(self) -> str:
        """The row as a JSON object."""
        return json.dumps(self.json_values(), indent=1)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Self:
        """Read `json_values` back, without columns that this version does not know."""
        known = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        times = {n: datetime.fromisoformat(known[n]) for n in ("landing_hour", "recorded_at")}
        dates = tuple(date.fromisoformat(d) for d in known.get("event_dates", ()))
        return cls(**{**known, **times, "event_dates": dates})


def stage_of(task_id: str) -> str:
    """The stage of a task: the outermost task group of its id."""
    return task_id.split(".", 1)[0]


def summarize(tasks: Iterable[Mapping[str, Any]]) -> tuple[str, str | None, dict[str, float]]:
    """State, failed stage and seconds by stage of a run.

    Args:
        tasks: One mapping with `task_id`, `state` and `duration` (seconds) for each finished task.

    Returns:
        `published`, `skipped` or `failed`; the first stage that failed; and the seconds that the tasks of
        each stage took, summed.
    """
    known = [t for t in tasks if stage_of(t["task_id"]) in STAGES]
    seconds = dict.fromkeys(STAGES, 0.0)
    for task in known:
        seconds[stage_of(task["task_id"])] += float(task["duration"] or 0.0)
    timings = {stage: round(s, 3) for stage, s in seconds.items() if s}
    broken = [stage_of(t["task_id"]) for t in known if t["state"] == "failed"]
    if broken:
        return "failed", min(broken, key=STAGES.index), timings
    if any(t["state"] in BROKEN for t in known):
        return "failed", None, timings
    if any(t["state"] == "skipped" and stage_of(t["task_id"]) == "sense" for t in known):
        return "skipped", None, timings
    return "published", None, timings


def as_json(value: Any) -> str:
    """Compact JSON for a STRING column."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
