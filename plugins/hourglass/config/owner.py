"""Whose partitions an operator works on: a source's, or the warehouse's days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hourglass.partition import Grain


class Owner(Protocol):
    """What operators that both DAGs have need to know."""

    @property
    def id(self) -> str:
        """The id by which files, rows and jobs tell whose they are."""

    @property
    def grain(self) -> Grain:
        """How its time is cut into partitions."""

    @property
    def runbook(self) -> str | None:
        """Its own runbook, if it has one."""


@dataclass(frozen=True, slots=True)
class Warehouse:
    """The owner of daily work; no source is called so."""

    id: str = "warehouse"
    grain: Grain = Grain.DAY
    runbook: str | None = None
