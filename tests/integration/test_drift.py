"""Schema drift of a candidate in the local BigQuery: what the gate tells, and which schema version it names."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from hourglass.cloud import bigquery as bq
from hourglass.config import Platform
from hourglass.config.loader import load_source
from hourglass.config.source import Source
from hourglass.operators.drift import drift_notices
from hourglass.partition import Grain, Partition

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
ROOT = Path(__file__).resolve().parents[2]
HOUR = Partition.parse("2021-09-30T06", Grain.HOUR)
LANDED = f"TIMESTAMP '{HOUR.start.isoformat()}'"
COUNTS = {"lines": 40, "silver": 30, "quarantined": 10, "duplicates": 0}


@pytest.fixture(scope="module")
def include(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drift") / "include"
    shutil.copytree(ROOT / "include", folder, ignore=shutil.ignore_patterns("target", "samples", "logs"))
    return folder


@pytest.fixture(scope="module")
def source(cloud: Any, include: Path) -> Source:
    """The source with candidates: rows with fields it does not know, and lines it refused."""
    source, platform = load_source("github", include), Platform.from_env()
    client = bigquery.Client(project=platform.project, location=platform.location)
    unknown = [{"novelty": {"n": n}, "actor": {"age": n}} for n in range(3)]
    refused = [("wrong_type", "actor.id", {"actor": {"id": f"u{n}"}}) for n in range(6)]
    refused += [("missing_required", "id", {}), ("not_json", "", {})]
    flows = bq.flows(source)
    for flow in flows.values():
        bq.create_candidate(client, platform, source, flow, HOUR)
    rows = ", ".join(f"({LANDED}, '{json.dumps(u)}')" for u in unknown)
    silver = flows["silver"].candidate(platform, source, HOUR)
    client.query_and_wait(f"INSERT INTO `{silver}` (landing_hour, unknown_fields) VALUES {rows}")
    bad = ", ".join(f"({LANDED}, '{r}', '{f}', b'{json.dumps(line)}')" for r, f, line in refused)
    quarantine = flows["quarantine"].candidate(platform, source, HOUR)
    client.query_and_wait(f"INSERT INTO `{quarantine}` (landing_hour, reason, field, raw_line) VALUES {bad}")
    return source


def told(source: Source, include: Path, refined: dict[str, Any]) -> list[str]:
    platform = replace(Platform.from_env(), include=include)
    client = bigquery.Client(project=platform.project, location=platform.location)
    return drift_notices(client, platform, source, HOUR, {"counts": COUNTS, **refined})


def test_new_fields_are_told_with_what_to_add_to_the_schema(source: Source, include: Path) -> None:
    text = "\n".join(told(source, include, {"unknown_fields": {"novelty": 3, "actor.age": 3}}))
    assert 'field novelty is not in schema 1.0: in 3 rows, kept in unknown_fields, such as {"n": ' in text
    assert 'add to fields in a new version: {"name": "novelty", "type": "RECORD"' in text
    assert 'add to the fields of actor in a new version: {"name": "age", "type": "INT64"}' in text


def test_a_retyped_field_is_told_and_a_single_bad_line_is_not(source: Source, include: Path) -> None:
    found = told(source, include, {"reasons": {"wrong_type": 6, "missing_required": 1, "not_json": 1}})
    text = "\n".join(found)
    assert "field actor.id has values of another type than schema 1.0 says: 6 lines" in text
    assert 'actor.id now looks like {"type": "STRING"}' in text
    assert "missing_required" not in text


def test_a_version_that_accepts_the_data_is_named(source: Source, include: Path) -> None:
    schema = json.loads((include / "schemas/github/1.0.json").read_text())
    schema["version"] = "1.1"
    schema["fields"].append({"name": "novelty", "type": "RECORD", "fields": [{"name": "n", "type": "INT64"}]})
    (include / "schemas/github/1.1.json").write_text(json.dumps(schema))
    refined = {"unknown_fields": {"novelty": 3}}
    assert told(source, include, refined)[-1].startswith("schema 1.1 accepts this data")
    both = {"unknown_fields": {"novelty": 3, "actor.age": 3}}
    assert "no later schema version accepts this data" in told(source, include, both)


def test_a_partition_without_drift_asks_nothing_and_says_nothing(source: Source, include: Path) -> None:
    assert told(source, include, {"reasons": {"not_json": 1}, "unknown_fields": {}}) == []
