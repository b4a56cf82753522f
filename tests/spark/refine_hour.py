"""Fill a partition with crafted objects, refine it, and read back what came out."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import refine
from hg_spec import parse_spec

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

START = "2021-07-21T06:00:00+00:00"


def column(
    name: str, kind: str, mode: str = "NULLABLE", fields: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {"name": name, "type": kind, "mode": mode} | ({"fields": fields} if fields else {})


SCHEMA = [
    column("id", "STRING", "REQUIRED"),
    column("at", "TIMESTAMP", "REQUIRED"),
    column("n", "INT64"),
    column("x", "FLOAT64"),
    column("amount", "NUMERIC"),
    column("ok", "BOOL"),
    column("day", "DATE"),
    column("blob", "BYTES"),
    column("body", "JSON"),
    column("actor", "RECORD", "NULLABLE", [column("id", "INT64", "REQUIRED"), column("email", "STRING")]),
    column(
        "items",
        "RECORD",
        "REPEATED",
        [
            column("sku", "STRING", "REQUIRED"),
            column("detail", "RECORD", "NULLABLE", [column("q", "INT64", "REQUIRED")]),
        ],
    ),
    column("tags", "STRING", "REPEATED"),
]


def event(number: int | str, **fields: Any) -> dict[str, Any]:
    """A valid event; a field given as ... is left out."""
    row = {"id": str(number), "at": "2021-07-21T06:10:00Z", "n": 1} | fields
    return {k: v for k, v in row.items() if v is not ...}


def line(number: int | str, **fields: Any) -> bytes:
    return json.dumps(event(number, **fields), ensure_ascii=False, separators=(",", ":")).encode()


@dataclass
class Result:
    """An outcome and the rows behind it, the silver ones by their id."""

    outcome: dict[str, Any]
    silver: list[dict[str, Any]]
    quarantine: list[dict[str, Any]]

    @property
    def counts(self) -> dict[str, int]:
        return self.outcome["counts"]

    def row(self, number: int | str) -> dict[str, Any]:
        (found,) = [r for r in self.silver if r["id"] == str(number)]
        return found

    def verdicts(self) -> dict[int, tuple[str, str | None]]:
        """(reason, field) by line number; only for partitions of one object."""
        return {r["source_line"]: (r["reason"], r["field"]) for r in self.quarantine}

    def places(self) -> list[tuple[str, int, str]]:
        """(object's name, line number, id) of every silver row."""
        return sorted((Path(r["source_object"]).name, r["source_line"], r["id"]) for r in self.silver)


@dataclass
class Hour:
    """A partition under construction."""

    spark: SparkSession
    folder: Path
    name: str
    start: str = START
    objects: list[Path] = field(default_factory=list)
    schema: list[dict[str, Any]] = field(default_factory=lambda: list(SCHEMA))
    runs: int = 0

    def add(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        self.objects.append(path)
        return path

    def gz(self, name: str, lines: Iterable[bytes], end: bytes = b"\n") -> Path:
        return self.add(name, gzip.compress(b"".join(one + end for one in lines), 1))

    def spec(self, **changes: Any) -> dict[str, Any]:
        """The spec for what was added so far; `changes` replace its top-level keys."""
        self.runs += 1
        start = datetime.fromisoformat(self.start)
        table = (
            re.sub(r"\W+", "_", self.name).lower()[:60] + hashlib.sha256(self.name.encode()).hexdigest()[:6]
        )
        objects = [
            {"uri": p.as_uri() if "%" not in p.as_uri() else f"file://{p}", "size": p.stat().st_size}
            | {"generation": p.stat().st_mtime_ns // 1000}
            for p in self.objects
        ]
        base = {
            "version": 1,
            "source": "crafted",
            "batch_id": f"refine-crafted-{start:%Y%m%d%H}-{self.runs}",
            "partition": {
                "key": f"{start:%Y-%m-%dT%H}",
                "grain": "hour",
                "start": start.isoformat(),
                "end": (start + timedelta(hours=1)).isoformat(),
            },
            "manifest": {"hash": "0" * 64, "uri": "file:///none", "objects": objects},
            "format": {"type": "json", "compression": "auto"},
            "schema": {"version": "1.0", "fields": self.schema},
            "unknown_fields": "keep",
            "event_time": {"field": "at", "max_lateness_seconds": 86400, "max_ahead_seconds": 300},
            "deduplication": {"key": ["id"]},
            "rules": [],
            "enrichment": [],
            "tables": {"silver": f"lake.silver.{table}", "quarantine": f"lake.quarantine.{table}"},
            "outcome": (self.folder / f"outcome-{self.runs}.json").as_uri(),
        }
        return base | changes

    def refine(self, **changes: Any) -> Result:
        return self.run(self.spec(**changes))

    def run(self, spec: dict[str, Any]) -> Result:
        refine.run(self.spark, parse_spec(json.dumps(spec)))
        outcome = json.loads(Path(spec["outcome"].removeprefix("file://")).read_text())
        tables = spec["tables"]
        return Result(outcome, self.rows(tables["silver"]), self.rows(tables["quarantine"]))

    def rows(self, table: str) -> list[dict[str, Any]]:
        where = f"landing_hour = timestamp'{self.start}'"
        found = self.spark.table(table).where(where).orderBy("source_object", "source_line").collect()
        return [row.asDict(recursive=True) for row in found]
