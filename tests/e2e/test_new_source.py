"""A file that nobody has prepared becomes a source, by the tutorial's own commands and a few edited lines."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery, storage

from tests import docs_blocks as docs

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
SAMPLE = docs.ROOT / "docs/tutorial/earthquakes.json.gz"
MOST_EDITED_LINES = 10
WRITTEN = ("sources", "schemas", "expectations")


class Story:
    """The tutorial's blocks, run in order in an include folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.include = folder / "include"
        self.include.mkdir()
        for entry in (docs.ROOT / "include").iterdir():
            if entry.name not in WRITTEN:
                (self.include / entry.name).symlink_to(entry)
        for name in WRITTEN:
            (self.include / name).mkdir()
        self.blocks = [b.commands for b in docs.shell_blocks(docs.STORY) if b.runs]
        self.edited = 0
        self.tried = ""
        self.left: tuple[list[str], set[str]] = ([], set())

    def run(self, commands: str, seconds: float = 900) -> str:
        """Run commands as a reader does, with this folder in the place of the repository's."""
        for name in WRITTEN:
            commands = commands.replace(f"include/{name}/", f"{self.include}/{name}/")
        commands = commands.replace("docs/sources/", f"{self.include.parent}/docs/sources/")
        commands = commands.replace(".local/cloud/", f"{os.environ['HOURGLASS_CLOUD']}/")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            capture_output=True, text=True, timeout=seconds, cwd=docs.ROOT, check=False,
            env={**os.environ, "HOURGLASS_INCLUDE": str(self.include)},
        )  # fmt: skip
        assert done.returncode == 0, f"{commands}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    def lines(self) -> Counter[str]:
        """Every line of the source's files."""
        files = [p for name in WRITTEN for p in (self.include / name).rglob("*") if p.is_file()]
        return Counter(line for path in files for line in path.read_text().splitlines())


@pytest.fixture(scope="module")
def story(cloud: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    found = Story(tmp_path_factory.mktemp("story"))
    before = list(objects("hourglass-ops")), tables()
    new, rule, attempt, *_ = found.blocks
    found.run(new)
    made = found.lines()
    found.run(rule)
    found.edited = sum(((found.lines() - made) + (made - found.lines())).values())
    found.tried = found.run(attempt)
    found.left = [n for n in objects("hourglass-ops") if n not in before[0]], tables() - before[1]
    for commands in found.blocks[3:-1]:
        found.run(commands)
    yield found
    found.run(found.blocks[-1])
    assert not found.lines()


def objects(bucket: str) -> Iterator[str]:
    """The names of a bucket's objects, but for the code and the output of batches."""
    for blob in storage.Client().list_blobs(bucket):
        if not blob.name.startswith(("spark/", "dataproc/")):
            yield blob.name


def tables() -> set[str]:
    """Every table of the warehouse."""
    client = bigquery.Client(location="US")
    return {str(t.reference) for d in client.list_datasets() for t in client.list_tables(d.dataset_id)}


def expected() -> tuple[dict[str, Any], Counter[str], int, int]:
    """Silver records by id, quarantined lines by reason, duplicates and lines, from the raw file."""
    silver: dict[str, Any] = {}
    reasons: Counter[str] = Counter()
    duplicates = 0
    lines = gzip.decompress(SAMPLE.read_bytes()).splitlines()
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            reasons["not_json"] += 1
            continue
        if record["properties"]["mag"] is None:
            reasons["not_null_properties_mag"] += 1
        elif record["id"] in silver:
            duplicates += 1
        else:
            silver[record["id"]] = record
    return silver, reasons, duplicates, len(lines)


def test_no_more_than_ten_lines_are_edited_by_hand(story: Story) -> None:
    assert 0 < story.edited <= MOST_EDITED_LINES


def test_try_tells_what_becomes_of_the_sample(story: Story) -> None:
    silver, reasons, duplicates, lines = expected()
    quarantined = sum(reasons.values())
    assert (
        f"{lines} lines = {len(silver)} silver + {quarantined} quarantined + {duplicates} dup" in story.tried
    )
    for reason, count in reasons.items():
        assert f"{count} {reason}" in story.tried
    assert "properties.mag" in story.tried
    assert "the gate lets it through" in story.tried


def test_try_leaves_nothing_behind(story: Story) -> None:
    assert story.left == ([], set())


def test_the_published_day_equals_an_independent_count(story: Story) -> None:
    silver, reasons, duplicates, lines = expected()
    client = bigquery.Client(location="US")
    when = "landing_hour = '2026-01-05 00:00:00+00'"
    rows = {r["id"]: r for r in client.query(f"SELECT * FROM silver.earthquakes WHERE {when}").result()}
    assert set(rows) == set(silver)
    for key, record in silver.items():
        row = rows[key]
        assert row["properties"]["place"] == record["properties"]["place"]
        assert row["properties"]["mag"] == record["properties"]["mag"]
        assert row["geometry"]["coordinates"] == record["geometry"]["coordinates"]
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=record["properties"]["time"])
        assert row["properties_time_utc"] == moment
    sql = f"SELECT reason, COUNT(*) AS n FROM quarantine.earthquakes WHERE {when} GROUP BY 1"
    assert Counter({r["reason"]: r["n"] for r in client.query(sql).result()}) == reasons
    sql = f"SELECT * FROM ops.partition_ledger WHERE source = 'earthquakes' AND {when}"
    (row,) = client.query(sql).result()
    counts = ("lines", "silver", "quarantined", "duplicates", "published_rows", "state")
    wanted = (lines, len(silver), sum(reasons.values()), duplicates, len(silver), "published")
    assert tuple(row[name] for name in counts) == wanted


def test_the_page_says_what_comes_out(story: Story) -> None:
    silver, reasons, duplicates, lines = expected()
    page = " ".join(docs.STORY.read_text().split())
    said = (
        f"Of {lines} lines {len(silver)} are silver, {duplicates} are duplicates, and {sum(reasons.values())}"
    )
    assert said in page
