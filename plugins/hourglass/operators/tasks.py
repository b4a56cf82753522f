"""The ids of the tasks whose results later tasks read."""

from __future__ import annotations

WAIT = "sense.wait"
REFINE = "refine.run"
LOADS = ("gate.load_silver", "gate.load_quarantine")
ACCOUNT = "gate.account"
ROWS = {"silver": "candidate_rows", "quarantine": "quarantine_rows"}  # what ACCOUNT returns, by flow
VALIDATE = "gate.validate"
PUBLISHED = ("publish.silver", "publish.quarantine")


def push_task(feature_set: str) -> str:
    """The task that pushes a feature set."""
    return f"serve.push_{feature_set}"
