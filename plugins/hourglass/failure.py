"""How a failed task speaks: what is wrong, how much, where to look, which runbook heading to open."""

from __future__ import annotations

RUNBOOK = "docs/runbook.md"


def explain(what: str, *, where: str, next_step: str, heading: str, runbook: str | None = None) -> str:
    """One message for the person who is paged.

    Args:
        what: What is wrong and how much of it.
        where: Where to look: a table, an object, a log.
        next_step: What to do next.
        heading: The runbook's heading, as its anchor.
        runbook: The source's own runbook, if it has one.
    """
    return f"{what}\n  where: {where}\n  next: {next_step}\n  runbook: {runbook or RUNBOOK}#{heading}"
