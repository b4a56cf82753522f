"""Whether an exported table has the columns of a schema file, and when its manifest is another one."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from hourglass.config.schema import SchemaField
from hourglass.ingest.export import ExportedTable, ExportManifest, coverage_problems

FIELDS = [
    SchemaField(name="export_date", type="STRING", mode="REQUIRED", source_path="event_date"),
    SchemaField(name="count", type="INT64"),
    SchemaField(
        name="params",
        type="RECORD",
        mode="REPEATED",
        fields=[SchemaField(name="key", type="STRING"), SchemaField(name="value", type="FLOAT64")],
    ),
]
COLUMNS: list[dict[str, Any]] = [
    {"name": "event_date", "type": "STRING", "mode": "NULLABLE"},
    {"name": "Count", "type": "INTEGER"},
    {
        "name": "params",
        "type": "RECORD",
        "mode": "REPEATED",
        "fields": [{"name": "key", "type": "STRING"}, {"name": "value", "type": "FLOAT"}],
    },
    {"name": "added_by_the_exporter", "type": "STRING"},
]


def test_columns_that_cover_the_schema_are_no_problem() -> None:
    assert coverage_problems(FIELDS, COLUMNS) == []


@pytest.mark.parametrize(
    ("index", "column", "said"),
    [
        (0, {"name": "other", "type": "STRING"}, "column event_date is missing"),
        (1, {"name": "count", "type": "STRING"}, "column count is STRING, the schema file says INT64"),
        (1, {"name": "count", "type": "INTEGER", "mode": "REPEATED"}, "count is REPEATED.*says NULLABLE"),
        (
            2,
            {
                "name": "params",
                "type": "RECORD",
                "mode": "REPEATED",
                "fields": [{"name": "key", "type": "DATE"}],
            },
            "column params.key is DATE",
        ),
    ],
)
def test_what_is_not_covered_is_named(index: int, column: dict[str, Any], said: str) -> None:
    columns = [*COLUMNS[:index], column, *COLUMNS[index + 1 :]]
    problems = coverage_problems(FIELDS, columns)
    assert re.search(said, problems[0])


def test_another_state_of_the_table_is_another_manifest() -> None:
    table = ExportedTable("p.d.events_20260105", "etag", 1_767_600_000_000, 10, 100)
    manifest = ExportManifest("ga4", "2026-01-05", table)
    changes: list[dict[str, Any]] = [{"etag": "other"}, {"modified_ms": 1}, {"rows": 11}]
    hashes = {replace(manifest, exported=replace(table, **change)).hash for change in changes}
    assert len(hashes | {manifest.hash}) == 4
    assert manifest.name == f"manifests/ga4/2026-01-05/{manifest.hash}.json"
