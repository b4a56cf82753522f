"""A polled source for tests, and one try of its `sense.land`: `python poll_source.py FOLDER SOURCE`."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

PARTITION = "2026-01-05T06"
SECRET = "polltest_token"


def write_source(include: Path, source_id: str, url: str, **ingestion: Any) -> None:
    """Write the source's two files."""
    fields = [
        {"name": "id", "type": "STRING", "mode": "REQUIRED", "description": "Key", "classification": "public"}
    ]
    schema = {"source_id": source_id, "version": "1.0", "fields": fields}
    document = {
        "source_id": source_id,
        "display_name": "Poll test",
        "description": "An API of the tests.",
        "ingestion": {
            "pattern": "streaming_api",
            "api_endpoint": url,
            "auth_type": "bearer_token",
            "secret_name": SECRET,
            "poll_interval": "1s",
            "compression": "gzip",
            "pagination": {
                "cursor": "starting_after",
                "more": "has_more",
                "since": "from",
                "until": "to",
                "page_size": {"limit": 10},
            },
            **ingestion,
        },
        "schema": {"file": f"schemas/{source_id}/1.0.json"},
    }
    for name, text in (
        (f"sources/{source_id}.yaml", yaml.safe_dump(document)),
        (f"schemas/{source_id}/1.0.json", json.dumps(schema)),
    ):
        file = include / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def operator(include: Path, source_id: str) -> Any:
    """The task, as the DAG would build it, but impatient."""
    from hourglass.config import Platform, load_source
    from hourglass.operators.poll_api import PollApi

    source = load_source(source_id, include)
    return PollApi(task_id="land", source=source, platform=Platform.from_env(), backoff_seconds=0.02)


def context(start: datetime) -> Any:
    """What the operator reads of Airflow's context."""
    return {"dag_run": SimpleNamespace(logical_date=start, run_id="test"), "params": {}}


if __name__ == "__main__":
    from hourglass.partition import Partition

    operator(Path(sys.argv[1]), sys.argv[2]).execute(context(Partition.parse(PARTITION).start))
