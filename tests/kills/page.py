"""Writes docs/reference/kill-matrix.md from what the last `make kill-matrix` recorded.

python -m tests.kills.page            write the page
python -m tests.kills.page --check    fail when it is not what the record says
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).with_name("matrix.json")
PAGE = ROOT / "docs" / "reference" / "kill-matrix.md"
HEAD = """\
# The kill matrix

What SIGKILL leaves, and what heals it. Written from what a run of `tests/kills` recorded; `make kill-matrix` runs and
writes all of it. Do not edit.

Each line is one kill. The hour's only object had been replaced before, so that a reader sees the old version or the
new one in each published place; half of one, none, or both would have failed the run. Each was healed as the last
column says. At the end of a pass every silver row, quarantined line, fact and feature was the new version's, as counted
from the file in plain Python, and no batch was left running. Features alone may be old and new at a time: their push
replaces entity by entity, and each entity was of one version as a whole. In snapshot mode readers see one push or the
other: `tests/kills/test_kills.py` reads all the while.
"""
VICTIMS = {
    "task process": "the process that runs the task, killed as its request arrives (and never reaches the service) or "
    "when the service has done it (and nobody hears the answer).",
    "Spark driver": "the driver's Java process, killed when the refine job says that it has done a phase.",
    "LocalExecutor worker": "all of the executor's processes that ran a task; the scheduler misses their heartbeats.",
}
AIRFLOW = "Airflow's process of that name, killed while the task was at work; its supervisor starts it again."
VICTIMS |= dict.fromkeys(("scheduler", "triggerer", "api-server", "dag-processor"), AIRFLOW)
SERVICE = "that service's process, killed as a request arrives or when it has done it; its supervisor starts it again."


def page(record: dict[str, Any]) -> str:
    """The page of a record."""
    cells = record["cells"]
    counts = Counter(cell["victim"] for cell in cells)
    lines = [
        HEAD,
        *(f"- *{victim}* ({count}): {VICTIMS.get(victim, SERVICE)}" for victim, count in counts.items()),
        "",
        "Passes in this record, each over one replaced hour from its clear to its success: "
        + (", ".join(f"*{name}*" for name in record["passes"]) or "none")
        + ".",
        "",
    ]
    for stage in dict.fromkeys(cell["stage"] for cell in cells):
        lines += [
            f"## {stage}",
            "",
            "| task | killed | when | task's state then | readers saw | healed by |",
            "|---|---|---|---|---|---|",
            *[_row(cell) for cell in cells if cell["stage"] == stage],
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def _row(cell: dict[str, Any]) -> str:
    seen: dict[str, list[str]] = {"old": [], "new": [], "old and new": []}
    for place, version in cell["shown"].items():
        seen[version].append(place)
    shown = "; ".join(f"{version}: {', '.join(places)}" for version, places in seen.items() if places)
    task = cell["task"].partition(".")[2]
    return f"| {task} | {cell['victim']} | {cell['place']} | {cell['state']} | {shown} | {cell['healed']} |"


def main(arguments: list[str]) -> int:
    """Write or check the page."""
    text = page(json.loads(RECORD.read_text("utf-8")))
    if "--check" not in arguments:
        PAGE.write_text(text, "utf-8")
        return 0
    if PAGE.read_text("utf-8") == text:
        return 0
    sys.stderr.write(f"{PAGE.relative_to(ROOT)} is not what {RECORD.name} says: python -m tests.kills.page\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
