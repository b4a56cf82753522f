"""What an hour of GitHub events must come to, computed from the raw files in plain Python.

Written from the schema file's and the YAML's wording, not from the Spark job or the SQL.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

REQUIRED = ("id", "type", "actor.id", "repo.id", "created_at")


@dataclass
class Expected:
    """One partition's expected outcome; `silver` by event id, `quarantined` by reason."""

    lines: int = 0
    silver: dict[str, dict[str, Any]] = field(default_factory=dict)
    quarantined: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0

    @property
    def by_type(self) -> Counter[str]:
        return Counter(e["type"] for e in self.silver.values())

    def features(self) -> dict[str, dict[str, Any]]:
        """Events, pushes and distinct repositories by actor."""
        actors: dict[str, list[dict[str, Any]]] = {}
        for event in self.silver.values():
            actors.setdefault(event["actor"]["login"], []).append(event)
        return {
            login: {
                "events": len(events),
                "pushes": sum(e["type"] == "PushEvent" for e in events),
                "repos": len({e["repo"]["id"] for e in events}),
                "is_bot": login.endswith("[bot]"),
            }
            for login, events in actors.items()
        }


def expect(files: list[Path], start: datetime) -> Expected:
    """Count one partition; files are read in name order, the first of equal ids wins."""
    expected = Expected()
    for file in sorted(files, key=lambda f: f.name):
        for line in gzip.decompress(file.read_bytes()).split(b"\n")[:-1]:
            expected.lines += 1
            event, reason = _read(line, start)
            if reason:
                expected.quarantined[reason] += 1
            elif event["id"] in expected.silver:
                expected.duplicates += 1
            else:
                expected.silver[event["id"]] = event
    return expected


def _read(line: bytes, start: datetime) -> tuple[dict[str, Any], str]:
    if not line.strip():
        return {}, "blank_line"
    try:
        event = json.loads(line.decode())
    except UnicodeDecodeError:
        return {}, "invalid_utf8"
    except json.JSONDecodeError as error:
        return {}, "trailing_data" if error.msg == "Extra data" else "not_json"
    return event, next((reason for reason, good in CHECKS.items() if not good(event, start)), "")


CHECKS: dict[str, Callable[[Any, datetime], bool]] = {
    "wrong_type": lambda e, _: isinstance(e, dict) and isinstance(e.get("actor", {}).get("id", 0), int),
    "missing_required": lambda e, _: all(_get(e, path) is not None for path in REQUIRED),
    "event_time_out_of_range": lambda e, start: (
        start - timedelta(days=7)
        <= datetime.fromisoformat(e["created_at"])
        <= start + timedelta(hours=1, minutes=5)
    ),
    "not_null_actor_login": lambda e, _: _get(e, "actor.login") is not None,
    "regex_repo_name": lambda e, _: "/" in (_get(e, "repo.name") or "a/b"),
}


def _get(event: dict[str, Any], path: str) -> Any:
    value: Any = event
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def partition_start(key: str) -> datetime:
    return datetime.strptime(key, "%Y-%m-%dT%H").replace(tzinfo=UTC)
