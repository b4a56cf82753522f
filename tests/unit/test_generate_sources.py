"""Every shipped source's generator: good rows are good, the tally is that of the files, ids are distinct."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recount import Judge, at, recount

from hourglass.config import Source, load_source
from hourglass.generate.core import Rates, draw_for, good_rows, module_of
from hourglass.generate.encode import json_text
from hourglass.generate.write import generate, tally_file
from hourglass.partition import Partition

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path.stem for path in (ROOT / "include" / "sources").glob("*.yaml"))
# Fields that their services nearly always leave out, as the generators do.
NEVER_THERE = {"event_previous_timestamp", "statement_descriptor"}
WHEN = datetime(2026, 1, 6, 14, tzinfo=UTC)
HARSH = Rates(late=0.3, duplicates=0.2, bad=0.4)


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> Source:
    return load_source(request.param)


@pytest.fixture
def partition(source: Source) -> Partition:
    return Partition.containing(WHEN, source.grain)


def test_every_source_has_a_generator(source: Source) -> None:
    assert module_of(source.id) is not None


def test_good_rows_are_good_and_distinct(source: Source, partition: Partition) -> None:
    if source.file.ingestion.format in ("parquet", "avro"):
        pytest.skip("typed by its file: judged when it is read back, below")
    judge = Judge(source, partition)
    keys = []
    for record in good_rows(source, draw_for(source, partition, seed=3, late=0.2), 200):
        row = judge.row(json.loads(json_text(record)))
        keys.append(tuple(str(at(row, path)) for path in source.file.deduplication_key))
    assert len(keys) == 200
    if source.file.deduplication_key:
        assert len(set(keys)) == 200


def test_the_tally_is_that_of_the_files(source: Source, partition: Partition, tmp_path: Path) -> None:
    tally = generate(source, partition, tmp_path, 250, HARSH, seed=5, objects=3).to_dict()
    told = json.loads(tally_file(tmp_path, source, partition).read_text())
    assert recount(source, partition, tmp_path, told["objects"]) == tally
    assert {key: told[key] for key in tally} == tally
    assert tally["silver"] == 250
    assert tally["quarantined"] == 100
    assert tally["lines"] == 350 + tally["duplicates"]
    assert tally["duplicates"] == (50 if source.file.deduplication_key else 0)


def test_every_field_of_the_schema_is_seen(source: Source, partition: Partition) -> None:
    """A misspelt name would stay unseen: most fields may be missing."""
    if source.file.ingestion.format in ("parquet", "avro"):
        pytest.skip("a row of these is read by its columns")
    judge = Judge(source, partition)
    seen: set[str] = set()
    for record in good_rows(source, draw_for(source, partition, seed=3), 300):
        row = judge.row(json.loads(json_text(record)))
        seen |= {field.name for field in source.schema.fields if row.get(field.name) not in (None, [])}
    assert {field.name for field in source.schema.fields} - seen - NEVER_THERE == set()


def test_objects_lie_below_the_sources_prefixes(source: Source, partition: Partition, tmp_path: Path) -> None:
    generate(source, partition, tmp_path, 50, Rates(bad=0.2), objects=2)
    told = json.loads(tally_file(tmp_path, source, partition).read_text())
    if source.file.ingestion.pattern == "bigquery_export":
        pytest.skip("its tables stay in BigQuery")
    prefixes = source.prefixes(partition)[1]
    assert all(name.startswith(tuple(prefixes)) for name in told["objects"])
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    marker = source.completeness.marker
    extra = {f"{prefixes[0]}{marker}"} if marker else set()
    assert files == {*told["objects"], *extra, f"_tally/{source.id}/{partition.key}.json"}
