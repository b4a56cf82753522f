"""docs/reference/concurrency.md, written by `make concurrency` from what it saw."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "concurrency.md"
MIB = 2**20


def page(found: dict[str, Any], peak: Counter[str]) -> str:
    """The page.

    Args:
        found: Counts and seconds.
        peak: Bytes by part at the moment of the most memory.
    """
    again = ", ".join(f"{task} ({n})" for task, n in sorted(found["again"].items())) or "none"
    total = psutil.virtual_memory().total / 2**30
    rows = [f"| {name} | {size / MIB:,.0f} |" for name, size in peak.most_common()]
    return "\n".join(
        [
            "# Concurrency",
            "",
            "Written by `make concurrency` from its last run. Do not edit.",
            "",
            f"{found['hours']} hours of `github` and an hour of each of `inventory`, `sessions`, `user_activity` and",
            "`users` at once, by Airflow's own scheduler, triggerer and LocalExecutor (four workers), with up to",
            f"{found['slots']} Spark drivers. The day was back-filled by one `airflow backfill create` while its first",
            "hour had run, its second was running and its last had no file: the first two were left alone, the last",
            "failed, came in by `--reprocess-behavior failed` when its file was there, and the first hour, whose",
            "file was then replaced, ran again by `--reprocess-behavior completed`.",
            "",
            "At the end every partition had one run, which had succeeded; its silver rows, quarantined lines, facts,",
            "features and ledger row were what plain Python counts in its files, and every line was published,",
            "quarantined or a repeat.",
            "",
            "| | |",
            "|---|---|",
            f"| Runs | {found['runs']} |",
            f"| Tasks that succeeded | {found['tasks']} |",
            f"| Tasks that ran more than once | {again} |",
            f"| Iceberg commits that met another hour's and were retried | {found['conflicts']} |",
            f"| Wall time, all together | {found['seconds'] / 60:.0f} min |",
            f"| Wall time, one hour of `github` alone | {found['alone']:.0f} s |",
            f"| Peak memory of all processes (PSS) | {peak.total() / MIB:,.0f} MiB |",
            f"| Machine | {os.cpu_count()} cores, {total:.0f} GiB |",
            "",
            "Whose the memory was at its peak:",
            "",
            "| part | MiB |",
            "|---|---|",
            *rows,
            "",
        ]
    )
