"""The documentation says what the code does: headings, links, keys, columns, variables and commands exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from hourglass.cli.schema import own_keys
from hourglass.config import ingestion, models, patterns, processing, rules, schema, serving, source
from hourglass.ledger.row import STAGES, LedgerRow
from tests import docs_blocks as docs

ROOT = docs.ROOT
RUNBOOK = ROOT / "docs" / "runbook.md"
REFERENCE = ROOT / "docs" / "reference"
PARTS_OF_AN_ENTRY = ("**What it means.**", "**Damage.**", "**Look at**", "**Do", "**If you just clear it:**")


def ids(page: Path) -> str:
    return str(page.relative_to(ROOT))


def failure_anchors() -> set[str]:
    code = [*(ROOT / "plugins").rglob("*.py"), *(ROOT / "dags").glob("*.py")]
    return {a for file in code for a in re.findall(r'heading="([^"]+)"', file.read_text("utf-8"))}


def test_every_failure_message_opens_an_entry_of_the_runbook() -> None:
    anchors = failure_anchors()
    assert "partition-missing" in anchors, "the pattern no longer finds the headings in the code"
    assert anchors <= docs.anchors(RUNBOOK)


@pytest.mark.parametrize("anchor", sorted(failure_anchors()))
def test_an_entry_of_the_runbook_is_complete(anchor: str) -> None:
    text = docs.section(RUNBOOK, anchor)
    assert [part for part in PARTS_OF_AN_ENTRY if part not in text] == []


@pytest.mark.parametrize("page", docs.pages(), ids=ids)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in docs.links(page):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (anchor and anchor not in docs.anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_reachable_from_the_index() -> None:
    seen, waiting = set(), [ROOT / "docs" / "README.md", ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        near = [
            (page.parent / link.partition("#")[0]).resolve() for link in docs.links(page) if "://" not in link
        ]
        waiting += [target for target in near if target.suffix == ".md" and target.exists()]
    assert [page for page in docs.pages() if page not in seen and page.name != "CHANGELOG.md"] == []


def make_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text("utf-8")
    return {
        name for line in re.findall(r"^([a-z][\w -]*):(?!=)", text, re.MULTILINE) for name in line.split()
    }


@pytest.mark.parametrize("page", docs.pages(), ids=ids)
def test_make_commands_exist(page: Path) -> None:
    in_prose = re.findall(r"`make ([a-z][\w-]*)", docs.prose(page))
    in_blocks = [
        t
        for b in docs.shell_blocks(page)
        for t in re.findall(r"^make ([a-z][\w-]*)", b.commands, re.MULTILINE)
    ]
    assert set(in_prose + in_blocks) - make_targets() == set()


@pytest.mark.parametrize(
    ("page", "heading", "described"),
    [
        ("source-file.md", "Top level", [models.SourceFile]),
        ("source-file.md", "ingestion", [ingestion.Landing]),
        ("source-file.md", "completeness", [ingestion.CompletenessRule]),
        ("source-file.md", "csv", [ingestion.CsvFormat]),
        ("source-file.md", "streaming_api", [patterns.StreamingApi, patterns.Pagination]),
        ("source-file.md", "database_cdc", [patterns.DatabaseCdc]),
        ("source-file.md", "cloud_transfer", [patterns.CloudTransfer]),
        ("source-file.md", "event_streaming", [patterns.EventStreaming]),
        ("source-file.md", "bigquery_export", [patterns.BigqueryExport]),
        ("source-file.md", "schema", [models.SchemaReference]),
        (
            "source-file.md",
            "processing",
            [
                processing.Processing,
                processing.BronzeToSilverStep,
                processing.Deduplication,
                processing.DataQuality,
                processing.Enrichment,
                processing.Pii,
            ],
        ),
        (
            "source-file.md",
            "silver_to_gold",
            [processing.SilverToGoldStep, processing.Join, processing.Aggregate],
        ),
        ("source-file.md", "serving", [serving.Serving]),
        ("source-file.md", "feature sets", [serving.FeatureSet]),
        ("source-file.md", "monitoring", [serving.Monitoring]),
        ("source-file.md", "retention", [serving.Retention, serving.StorageClasses]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_reference_has_exactly_the_keys_of_the_source_file(
    page: str, heading: str, described: list[type[BaseModel]]
) -> None:
    expected = {field.alias or name for model in described for name, field in own_keys(model).items()}
    found = docs.keys(docs.section(REFERENCE / page, heading))
    assert {key for key in found if "(" not in key} == expected


def test_no_model_of_the_source_file_is_left_out() -> None:
    text = (REFERENCE / "source-file.md").read_text("utf-8") + (REFERENCE / "checks.md").read_text("utf-8")
    modules = (models, ingestion, patterns, processing, serving)
    found = [m for module in modules for m in vars(module).values() if isinstance(m, type)]
    every = [m for m in found if issubclass(m, BaseModel)]
    names = {field.alias or name for model in every for name, field in model.model_fields.items()}
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_the_reference_has_the_keys_of_the_schema_file() -> None:
    described = docs.keys((REFERENCE / "schema-file.md").read_text("utf-8"))
    types = set(get_args(schema.FieldType))
    assert described == {*schema.SourceSchema.model_fields, *schema.SchemaField.model_fields, *types}


def test_the_reference_has_every_check_and_its_parameters() -> None:
    described = docs.keys(docs.section(REFERENCE / "checks.md", "Row-level rules"))
    assert described == {*get_args(rules.Check), *rules.Rule.model_fields}


def test_the_reference_has_every_column() -> None:
    page = REFERENCE / "tables.md"
    ddl = (ROOT / "include" / "sql" / "ddl" / "partition_ledger.sql").read_text("utf-8")
    columns = set(re.findall(r"^    `?(\w+)`? [A-Z0-9<>]+(?: NOT NULL)? OPTIONS", ddl, re.MULTILINE))
    assert set(LedgerRow.__dataclass_fields__) <= columns, "the pattern no longer finds the ledger's columns"
    assert docs.keys(docs.section(page, "ops.partition_ledger")) == columns
    assert docs.keys(docs.section(page, "silver.SOURCE")) == {name for name, _, _ in schema.SYSTEM_COLUMNS}
    assert docs.keys(docs.section(page, "quarantine.SOURCE")) == {
        name for name, _, _ in source.QUARANTINE_COLUMNS
    }


def test_the_reference_has_every_environment_variable() -> None:
    product = [*(ROOT / "plugins").rglob("*.py"), *(ROOT / "include" / "dbt").rglob("*.*ml")]
    product += [
        *(ROOT / "include" / "dbt" / "macros").rglob("*.sql"),
        *(ROOT / "local" / "dataproc").glob("*.py"),
    ]
    # Quoted: read by the code. The batch's folder is the local Dataproc's own affair.
    pattern = r"""["'](HOURGLASS_[A-Z_]+|[A-Z]+_EMULATOR_HOST)["']"""
    read = {name for file in product for name in re.findall(pattern, file.read_text("utf-8"))}
    described = set(re.findall(r"`([A-Z_]+)`", (REFERENCE / "environment.md").read_text("utf-8")))
    assert {"HOURGLASS_PROJECT", "DATAPROC_EMULATOR_HOST"} <= read
    assert read - described - {"HOURGLASS_BATCH_FOLDER"} == set()


@pytest.mark.parametrize("page", docs.pages(), ids=ids)
def test_shell_blocks_are_bash(page: Path) -> None:
    for block in docs.shell_blocks(page):
        done = subprocess.run(
            ["bash", "-n"], input=block.commands, capture_output=True, text=True, timeout=10, check=False
        )
        assert done.returncode == 0, f"{done.stderr}\n{block.code}"


def test_cleared_tasks_are_named_as_airflow_reads_them() -> None:
    # Airflow 3.3 takes -t as plain text and clears nothing, without an error, when no task's id contains it.
    everything = "".join(page.read_text("utf-8") for page in docs.pages())
    named = re.findall(r"tasks clear (?:-- )?\w+ -t (\S+)", everything)
    assert {name for name in named if name != "…"} <= {f"{stage}." for stage in STAGES}
    assert len(named) >= 3


def test_some_commands_are_run() -> None:
    assert len(docs.commands_to_run()) >= 3
