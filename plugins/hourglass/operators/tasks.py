"""The ids of the tasks whose results later tasks read."""

from __future__ import annotations

WAIT = "sense.wait"
REFINE = "refine.run"
ACCOUNT = "gate.account"
