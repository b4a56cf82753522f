"""What every stage's builder is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hourglass.config import Platform, Source

# Task ids that later stages read.
WAIT = "sense.wait"
REFINE = "refine.run"
EVENT_DATES = "{{ (ti.xcom_pull(task_ids='refine.run') or {}).get('event_dates', []) | join(',') }}"


@dataclass(frozen=True, slots=True)
class Build:
    """The source to build for, and the deployment it runs in."""

    source: Source
    platform: Platform

    def kwargs(self) -> dict[str, Any]:
        """The two arguments that every operator of ours takes."""
        return {"source": self.source, "platform": self.platform}
