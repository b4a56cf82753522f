"""make kill-matrix: every cell, recorded in tests/kills/matrix.json, and the page written from it.

    python -m tests.kills [MOST]

MOST is how many requests of each task and service to kill at (3). The record is written after each pass; a run that
was stopped goes on with the passes that the record does not have. Delete the record to begin anew.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, running_cloud
from tests.kills.components import kill_components
from tests.kills.page import PAGE, RECORD, page
from tests.kills.setting import first_run_done
from tests.kills.story import TASKS, Cell, Story

# The stages that share a pass: the hour is replaced, killed in them, run to its end and checked.
PARTS = (("sense", "refine"), ("gate",), ("publish", "transform"), ("serve", "announce"))


def main(most: int) -> None:
    """Run the passes that are not recorded, and write the page.

    Args:
        most: How many requests of each task and service to kill at.
    """
    wanted = {name: run for name, run in passes().items() if name not in recorded()["passes"]}
    if wanted:
        run_warm(wanted, most)
    kill_components(recorded()["passes"], keep)


def run_warm(wanted: dict[str, Callable[[Story], None]], most: int) -> None:
    """Run passes in a warm Airflow, whose every process of a task is at hand.

    Args:
        wanted: The passes.
        most: How many requests of each task and service to kill at.
    """
    with tempfile.TemporaryDirectory() as folder:
        for cloud in running_cloud(ROOT / ".local" / "kill-cloud"):
            with first_run_done(cloud, Path(folder)) as story:
                story.most = most
                for name, run in wanted.items():
                    story.cells.clear()
                    story.replace()
                    run(story)
                    story.finish()
                    keep(name, story.cells)
    shutil.rmtree(ROOT / ".local" / "kill-cloud")


def passes() -> dict[str, Callable[[Story], None]]:
    """What kills in the tasks of some stages, by the pass's name."""
    tasks = {" and ".join(part): [t for t in TASKS if t.split(".")[0] in part] for part in PARTS}
    return {
        **{f"task processes in {part}": partial(each, Story.kill_workers, tasks[part]) for part in tasks},
        "Spark drivers": Story.kill_drivers,
        "services that Spark asks": Story.kill_services_of_the_job,
        **{f"services in {part}": partial(each, Story.kill_services, tasks[part]) for part in tasks},
    }


def each(kill: Callable[[Story, str], None], tasks: Iterable[str], story: Story) -> None:
    """Kill in one task after the other."""
    for task in tasks:
        kill(story, task)


def recorded() -> dict[str, Any]:
    """The record so far."""
    if not RECORD.exists():
        return {"passes": [], "cells": []}
    found: dict[str, Any] = json.loads(RECORD.read_text("utf-8"))
    return found


def keep(name: str, cells: Iterable[Cell]) -> None:
    """Add a pass's cells to the record, in the stages' order, and write the page.

    Args:
        name: The pass that came to its end.
        cells: Its kills.
    """
    stages = list(dict.fromkeys(task.split(".")[0] for task in TASKS))
    record = recorded()
    record["passes"].append(name)
    record["cells"] += [asdict(cell) for cell in cells]
    record["cells"].sort(key=lambda cell: stages.index(cell["stage"]))
    RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(record), "utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 3)
