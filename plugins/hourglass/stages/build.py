"""What every stage's builder is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hourglass.config import Platform, Source
from hourglass.config.patterns import BigqueryExport
from hourglass.operators.handover import taken_from
from hourglass.operators.tasks import ACCOUNT, PUBLISHED, REFINE


@dataclass(frozen=True, slots=True)
class Build:
    """The source to build for, and the deployment it runs in."""

    source: Source
    platform: Platform

    @property
    def exported(self) -> bool:
        """Whether the partitions are tables of an export, which are neither refined nor published by us."""
        return isinstance(self.source.file.ingestion, BigqueryExport)

    @property
    def outcome(self) -> str:
        """The task that says what became of the partition's lines."""
        return ACCOUNT if self.exported else REFINE

    @property
    def event_dates(self) -> str:
        """The event dates of the partition, as a template."""
        return (
            f"{{{{ (ti.xcom_pull(task_ids='{self.outcome}') or {{}}).get('event_dates', []) | join(',') }}}}"
        )

    @property
    def hooks(self) -> dict[str, Any]:
        """What stock operators behind `publish` take, so that the ledger knows which outcome they worked on."""
        return {} if self.exported else {"pre_execute": taken_from(PUBLISHED[0])}

    def kwargs(self) -> dict[str, Any]:
        """The two arguments that every operator of ours takes."""
        return {"source": self.source, "platform": self.platform}
