"""The small world of the chaos test: a source `rides` in two schema versions, and the files that land in it."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "rides"
BUCKET = "hourglass-raw"
VERSIONS = ("1.0", "1.1")
LIMIT_ROWS, LIMIT_RATE = 5, 0.3
# Of the day on which a run began: over the next midnight no two slots may be the same hours.
MIDNIGHT = datetime.now(tz=UTC).replace(hour=0, minute=0, second=0, microsecond=0)
CITIES = ("Aachen", "Bonn", "Celle", "Düren", "Emden")

_YAML = """
source_id: rides
display_name: Rides
description: The rides of a small town
ingestion:
  pattern: batch_file
  location: gs://hourglass-raw/rides/
  path_template: hive
  schedule: "0 * * * *"
  format: json
  compression: none
  completeness: {close_after: 0s, settle: 0s, min_files: 1}
  late_window: 7d
  on_empty: fail
schema:
  file: schemas/rides/VERSION.json
  validation: strict
  evolution: backward_compatible
  unknown_fields: keep
  event_time: started_at
  max_lateness: 7d
processing:
  bronze_to_silver:
    - deduplication: {key: [ride_id]}
    - data_quality:
        rules:
          - {field: fare, check: positive_number}
  silver_to_gold:
    - aggregate:
        group_by: [date, city]
        metrics: ["count(*) as rides", "sum(fare) as fares"]
serving:
  feature_sets: [ride_city]
monitoring:
  sla_minutes: 60
  quarantine: {rows: LIMIT_ROWS, rate: LIMIT_RATE}
"""
_FIELDS = [
    ("ride_id", "STRING", "REQUIRED"),
    ("city", "STRING", "REQUIRED"),
    ("fare", "NUMERIC", "REQUIRED"),
    ("passengers", "INT64", "NULLABLE"),
    ("started_at", "TIMESTAMP", "REQUIRED"),
]
_ADDED = [("tip", "NUMERIC", "NULLABLE")]
_FEATURES = """-- What a partition's rides come to in each city.
SELECT
    city AS entity,
    COUNT(*) AS rides,
    SUM(fare) AS fares,
    MAX(started_at) AS last_at
FROM staging.stg_rides__rides
WHERE landing_hour = @landing_hour
GROUP BY city
ORDER BY entity
"""


def write_include(folder: Path, version: str) -> Path:
    """Write an include folder that has this source alone, in one version of its schema.

    Args:
        folder: Where it is to be.
        version: The schema's version.

    Returns:
        The folder.
    """
    (folder / "sql" / "features").mkdir(parents=True)
    (folder / "spark").symlink_to(ROOT / "include" / "spark")
    for entry in (ROOT / "include" / "sql").iterdir():
        if entry.name != "features":
            (folder / "sql" / entry.name).symlink_to(entry)
    (folder / "sql" / "features" / "ride_city.sql").write_text(_FEATURES)
    ignored = shutil.ignore_patterns("target", "logs", "models", "seeds", "snapshots")
    shutil.copytree(ROOT / "include" / "dbt", folder / "dbt", ignore=ignored)
    (folder / "sources").mkdir()
    text = _YAML.lstrip().replace("VERSION", version)
    text = text.replace("LIMIT_ROWS", str(LIMIT_ROWS)).replace("LIMIT_RATE", str(LIMIT_RATE))
    (folder / "sources" / "rides.yaml").write_text(text)
    (folder / "schemas" / SOURCE).mkdir(parents=True)
    for name in VERSIONS:
        fields = _FIELDS + (_ADDED if name == "1.1" else [])
        described = [{"name": n, "type": t, "mode": m, "description": n} for n, t, m in fields]
        schema = {"source_id": SOURCE, "version": name, "fields": described}
        (folder / "schemas" / SOURCE / f"{name}.json").write_text(json.dumps(schema))
    return folder


def compile_include(folder: str) -> None:
    """Write the dbt models and dbt's manifest of an include folder; runs in a warm process."""
    from dbt.cli.main import dbtRunner

    from hourglass.cli.compile import run

    assert run([], check=False) == 0
    project = str(Path(folder) / "dbt")
    done = dbtRunner().invoke(["parse", "--project-dir", project, "--profiles-dir", project])
    assert done.success, done.exception


def replay(key: str, reason: str, repair: str) -> int:
    """`hourglass quarantine replay`, whose run the sweeper starts; runs in a warm process."""
    from hourglass.cli import quarantine

    made = quarantine.repair_of([repair], None, None, None)
    return quarantine.replay(
        SOURCE, key, made, wanted=[reason], limit=1000, why="chaos", dry=False, run=False
    )


@dataclass(frozen=True)
class Origin:
    """The line that a replayed line takes the place of.

    Args:
        file: Its file.
        content: What the file was then.
        line: The line's number in it, from 1.
    """

    file: str
    content: bytes
    line: int


@dataclass
class Partition:
    """A partition's files as they are in the bucket; of those that are replays, where each line comes from."""

    start: datetime
    files: dict[str, bytes] = field(default_factory=dict)
    replays: dict[str, list[Origin]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The partition's key."""
        return f"{self.start:%Y-%m-%dT%H}"

    def object_name(self, file: str) -> str:
        """The object that a file is."""
        return f"{SOURCE}/{self.start:year=%Y/month=%m/day=%d/hour=%H}/{file}"

    @property
    def as_of_ms(self) -> int:
        """The end of the partition, milliseconds since the epoch."""
        return int((self.start + timedelta(hours=1)).timestamp() * 1000)


def partitions(slot: int, count: int = 3) -> list[Partition]:
    """Hours that have ended and are not beyond the late window.

    Args:
        slot: Which of the 40 groups of hours of the last five days.
        count: How many, at most 3.
    """
    day, part = divmod(slot, 8)
    first = MIDNIGHT - timedelta(days=day + 1) + timedelta(hours=3 * part)
    return [Partition(first + timedelta(hours=n)) for n in range(count)]


class Writer:
    """Makes up lines, and files of them.

    Args:
        random: Decides everything.
        prefix: What all keys begin with.
    """

    def __init__(self, random: Random, prefix: str) -> None:
        self._random = random
        self._prefix = prefix
        self._number = 0
        self._records: list[dict[str, Any]] = []

    def file(self, start: datetime, garbage: int = 0) -> bytes:
        """A file of some lines: rides, now and then one that was written before, and bad ones.

        Args:
            start: The partition's start.
            garbage: How many lines are bad.
        """
        lines = [self._ride(start) for _ in range(self._random.randint(3, 12))]
        lines += [self._bad(start) for _ in range(garbage)]
        self._random.shuffle(lines)
        return b"".join(line + b"\n" for line in lines)

    def _ride(self, start: datetime) -> bytes:
        if self._records and self._random.random() < 0.15:  # delivered again, perhaps with another fare
            record = dict(self._random.choice(self._records))
            if self._random.random() < 0.5:
                record["fare"] = self._fare()
        else:
            record = self._record(start)
            self._records.append(record)
        return json.dumps(record, ensure_ascii=False).encode()

    def _record(self, start: datetime) -> dict[str, Any]:
        self._number += 1
        back = timedelta(days=1) if self._random.random() < 0.2 else timedelta()
        moment = start - back + timedelta(seconds=self._random.randint(0, 3599))
        record: dict[str, Any] = {
            "ride_id": f"{self._prefix}{self._number}",
            "city": self._random.choice(CITIES),
            "fare": self._fare(),
            "started_at": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        }
        if self._random.random() < 0.5:
            record["passengers"] = self._random.randint(1, 6)
        if self._random.random() < 0.3:
            record["tip"] = self._fare()
        return record

    def _fare(self) -> float:
        return self._random.randint(1, 9999) / 100

    def _bad(self, start: datetime) -> bytes:
        record = self._record(start)
        kinds = [
            b"no ride",
            b"",
            json.dumps({k: v for k, v in record.items() if k != "city"}).encode(),
            json.dumps({**record, "passengers": "many"}).encode(),
            json.dumps({**record, "fare": -1.5}).encode(),
            json.dumps({**record, "started_at": "2020-01-01T00:00:00Z"}).encode(),
            json.dumps(record).encode() + b" {}",
        ]
        return self._random.choice(kinds)
