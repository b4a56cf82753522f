"""The two real hours in the repository, against plain Python."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from refine_hour import Hour, column

SAMPLES = Path(__file__).parents[2] / "include" / "samples" / "github" / "year=2021" / "month=07" / "day=21"
SCHEMA = [
    column("id", "STRING", "REQUIRED"),
    column("type", "STRING", "REQUIRED"),
    column("actor", "RECORD", "REQUIRED", [column("id", "INT64", "REQUIRED"), column("login", "STRING")]),
    column("repo", "RECORD", "REQUIRED", [column("id", "INT64", "REQUIRED"), column("name", "STRING")]),
    column("payload", "JSON"),
    column("public", "BOOL"),
    column("created_at", "TIMESTAMP", "REQUIRED"),
]


@pytest.mark.parametrize("which", ["06", "07"])
def test_a_real_hour(hours: Callable[[str], Hour], which: str) -> None:
    hour = hours(f"2021-07-21T{which}:00:00+00:00")
    hour.schema = SCHEMA
    hour.objects = sorted((SAMPLES / f"hour={which}").glob("*.json.gz"))
    result = hour.refine(
        event_time={"field": "created_at", "max_lateness_seconds": 604800, "max_ahead_seconds": 300},
        enrichment=[{"name": "owner", "type": "STRING", "expression": "split_part(repo.name, '/', 1)"}],
    )
    raw = [
        json.loads(one) for path in hour.objects for one in gzip.decompress(path.read_bytes()).splitlines()
    ]
    assert result.counts == {"lines": 200, "silver": 200, "quarantined": 0, "duplicates": 0}
    assert len({event["id"] for event in raw}) == len(raw) == 200
    for event, row in zip(raw, result.silver, strict=True):
        assert (row["id"], row["type"], row["public"]) == (event["id"], event["type"], event["public"])
        assert row["actor"] == {"id": event["actor"]["id"], "login": event["actor"]["login"]}
        assert json.loads(row["payload"]) == event["payload"]
        assert row["created_at"].strftime("%Y-%m-%dT%H:%M:%SZ") == event["created_at"]
        assert row["owner"] == event["repo"]["name"].partition("/")[0]
        unknown = json.loads(row["unknown_fields"])
        assert unknown.get("org") == event.get("org")
        assert set(unknown["actor"]) == set(event["actor"]) - {"id", "login"}
    assert result.outcome["unknown_fields"]["repo.url"] == 200
    assert result.outcome["unknown_fields"]["org"] == sum("org" in event for event in raw)
