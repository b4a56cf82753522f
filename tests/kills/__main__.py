"""make kill-matrix: every cell, recorded in tests/kills/matrix.json, and the page written from it.

    python -m tests.kills [MOST]

MOST is how many requests of each task and service to kill at (3). The record is written after each pass.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from tests.conftest import ROOT, running_cloud
from tests.kills.page import PAGE, RECORD, page
from tests.kills.setting import first_run_done
from tests.kills.story import TASKS, Cell, Story


def main(most: int) -> None:
    """Run both passes, of task processes with Spark drivers and of services, and write the page.

    Args:
        most: How many requests of each task and service to kill at.
    """
    with tempfile.TemporaryDirectory() as folder:
        for cloud in running_cloud(ROOT / ".local" / "kill-cloud"):
            with first_run_done(cloud, Path(folder)) as story:
                story.most = most
                kill_workers_and_drivers(story)
                record(story.cells, ["task processes and Spark drivers"])
                kill_services(story)
                record(story.cells, ["task processes and Spark drivers", "services"])
    shutil.rmtree(ROOT / ".local" / "kill-cloud")


def kill_workers_and_drivers(story: Story) -> None:
    """The hour is replaced, and its tasks are killed from the first to the last."""
    story.replace()
    for task in TASKS:
        story.kill_workers(task)
        if task == "refine.run":
            story.kill_drivers()
    story.finish()


def kill_services(story: Story) -> None:
    """The hour is replaced again, and each task loses each service that it needs."""
    story.replace()
    for task in TASKS:
        story.kill_services(task)
    story.finish()


def record(cells: Iterable[Cell], passes: list[str]) -> None:
    """Keep the cells, in the stages' order, and write the page.

    Args:
        cells: The kills.
        passes: The passes that came to their end.
    """
    stages = list(dict.fromkeys(task.split(".")[0] for task in TASKS))
    ordered = sorted(cells, key=lambda cell: stages.index(cell.stage))
    content = {"passes": passes, "cells": [asdict(cell) for cell in ordered]}
    RECORD.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    PAGE.write_text(page(content), "utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 3)
