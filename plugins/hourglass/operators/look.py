"""Waiting in the triggerer: look now and then until waiting is over."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look found.

    Args:
        reason: Why it waits on, or no longer.
        event: What the task is given; None as long as there is something to wait for.
        until: When the next look may find something else, where that is known.
    """

    reason: str
    event: dict[str, Any] | None = None
    until: datetime | None = None


class LookTrigger(BaseTrigger):
    """Looks until waiting is over.

    Args:
        where: What a look needs to know, as JSON values.
        poll_seconds: The longest time between two looks.
    """

    def __init__(self, where: dict[str, Any], poll_seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.where = where
        self.poll_seconds = poll_seconds

    @abstractmethod
    def look(self, now: datetime) -> Looked:
        """Look once; called in a thread of its own."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, for the triggerer."""
        path = f"{type(self).__module__}.{type(self).__qualname__}"
        return path, {"where": self.where, "poll_seconds": self.poll_seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event as soon as waiting is over."""
        said = ""
        while True:
            found = await asyncio.to_thread(self.look, datetime.now(tz=UTC))
            if found.event is not None:
                break
            if found.reason != said:
                said = found.reason
                self.log.info("Waiting: %s", said)
            await asyncio.sleep(self._pause(found.until))
        yield TriggerEvent(found.event)

    def _pause(self, until: datetime | None) -> float:
        if until is None:
            return self.poll_seconds
        return min(self.poll_seconds, max(1.0, (until - datetime.now(tz=UTC)).total_seconds()))
