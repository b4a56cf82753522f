"""Source files: every mistake is named with its place, and a broken file takes only itself out."""

from __future__ import annotations

import gc
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hourglass.config import ConfigError, Platform, collector_paused, digest, load_source, load_sources
from hourglass.config.path_template import render, resolve
from hourglass.config.plain_secrets import worth_a_look
from hourglass.partition import Grain, Manifest, Partition, SourceObject

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"


@pytest.fixture
def include(tmp_path: Path) -> Path:
    """A copy of the github source that a test may break."""
    for folder in ("sources", "schemas", "sql/materialized_views", "sql/features"):
        shutil.copytree(INCLUDE / folder, tmp_path / folder)
    for other in (tmp_path / "sources").glob("*.yaml"):
        if other.stem != "github":
            other.unlink()
    return tmp_path


def edit(include: Path, old: str, new: str) -> None:
    path = include / "sources" / "github.yaml"
    text = path.read_text()
    assert text.count(old) >= 1, old
    path.write_text(text.replace(old, new, 1))


def line_of(include: Path, fragment: str) -> int:
    lines = (include / "sources" / "github.yaml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if fragment in line)


MISTAKES = {
    "unknown key": ("on_empty: fail", "on_emtpy: fail", "on_emtpy", "did you mean 'on_empty'?"),
    "unknown top-level key": ("owner:", "ownr:", "ownr", "did you mean 'owner'?"),
    "enum": ("pattern: batch_file", "pattern: batch_fil", "batch_fil", "did you mean 'batch_file'?"),
    "duration": ("close_after: 10m", "close_after: 10 minutes", "10 minutes", "90s or 4h"),
    "cron": ('"0 * * * *"', '"0 * * *"', "schedule", "0 * * * *"),
    "bucket": ("gs://hourglass-raw/github/", "gs://Raw/github", "location", "/ at the end"),
    "template": ("path_template: hive", "path_template: YYYY/MM/DD/", "path_template", "lacks hh"),
    "late window": ("late_window: 4h", "late_window: 30d", "late_window", "at most 7d"),
    "type": ("sla_minutes: 60", "sla_minutes: sixty", "sla_minutes", "integer"),
    "duplicate key": ("  on_empty: fail", "  on_empty: fail\n  format: json", "format: json", "second time"),
    "indent": ("  format: json", " format: json", "format: json", "this is not YAML"),
    "missing key": ("  schedule:", "  # schedule:", "pattern:", "'schedule' is missing in ingestion"),
    "schema file": (
        "github/1.0.json",
        "github/1.1.json",
        "1.1.json",
        "did you mean 'schemas/github/1.0.json'?",
    ),
    "field of a key": ("key: [id]", "key: [idd]", "key: [idd]", "did you mean 'id'?"),
    "field of a rule": (
        "field: actor.login",
        "field: actor.logon",
        "actor.logon",
        "did you mean 'actor.login'?",
    ),
    "check": ("check: not_null", "check: non_null", "non_null", "did you mean 'not_null'?"),
    "rule parameter": (
        "check: regex, pattern:",
        "check: regex, min: 1, pattern:",
        "check: regex",
        "takes no min",
    ),
    "event time": ("event_time: created_at", "event_time: type", "event_time", "must be a TIMESTAMP"),
    "cluster": ("cluster_by: [type]", "cluster_by: [typ]", "cluster_by", "did you mean 'type'?"),
    "view": (
        "[github_hourly_events]",
        "[github_events]",
        "github_events",
        "no include/sql/materialized_views",
    ),
    "two steps in one": ("    - data_quality:", "      data_quality:", "- deduplication", "exactly one key"),
    "id": ("source_id: github", "source_id: Github", "source_id", "lower-case letters"),
    "id and file": ("source_id: github", "source_id: gitlab", "source_id", "differs from the file's name"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_line(include: Path, mistake: str) -> None:
    old, new, place, says = MISTAKES[mistake]
    edit(include, old, new)
    loaded = load_sources(include)
    assert loaded.sources == []
    problem = next((p for p in loaded.problems if says in p.message), None)
    assert problem is not None, [str(p) for p in loaded.problems]
    wanted = [
        n
        for n, text in enumerate((include / "sources/github.yaml").read_text().splitlines(), 1)
        if place in text
    ]
    assert min(abs(problem.line - n) for n in wanted) <= (
        1 if mistake in ("missing key", "duplicate key", "indent") else 0
    )
    shown = str(problem).splitlines()
    assert shown[2].index("^") == 4 + problem.column - 1
    assert shown[3].startswith("    see docs/reference/")
    assert "sources/github.yaml:" in str(problem)


def test_all_mistakes_come_in_one_go(include: Path) -> None:
    edit(include, "on_empty: fail", "on_emtpy: fail")
    edit(include, "check: not_null", "check: non_null")
    edit(include, "sla_minutes: 60", "sla_minutes: -1")
    assert len(load_sources(include).problems) == 3


def test_a_broken_file_takes_only_itself_out(include: Path) -> None:
    (include / "sources" / "broken.yaml").write_text("source_id: [broken\n")
    loaded = load_sources(include)
    assert [s.id for s in loaded.sources] == ["github"]
    assert len(loaded.errors) == 1


def test_two_sources_cannot_share_a_location(include: Path) -> None:
    text = (include / "sources" / "github.yaml").read_text().replace("source_id: github", "source_id: other")
    (include / "sources" / "other.yaml").write_text(text.replace("schemas/github", "schemas/other"))
    schema = json.loads((include / "schemas/github/1.0.json").read_text()) | {"source_id": "other"}
    (include / "schemas" / "other").mkdir()
    (include / "schemas" / "other" / "1.0.json").write_text(json.dumps(schema))
    problems = load_sources(include).problems
    assert ["already the location of" in p.message for p in problems] == [True]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"type": "STRNG"}, "did you mean 'STRING'?"),
        ({"mode": "REQUIERD"}, "did you mean 'REQUIRED'?"),
        ({"name": "event_date"}, "column that Hourglass adds"),
        ({"name": "TYPE"}, "stands twice"),
        ({"type": "RECORD"}, "has no fields"),
        ({"nme": "x"}, "did you mean 'name'?"),
    ],
)
def test_a_mistake_in_a_schema_is_named(include: Path, change: dict[str, str], says: str) -> None:
    path = include / "schemas/github/1.0.json"
    schema = json.loads(path.read_text())
    schema["fields"][0] |= change
    path.write_text(json.dumps(schema, indent=2))
    problems = load_sources(include).problems
    assert any(says in p.message and p.file.endswith("1.0.json") for p in problems), [
        str(p) for p in problems
    ]


def test_a_country_called_no_stays_a_string(tmp_path: Path) -> None:
    from hourglass.config.document import read_document

    path = tmp_path / "x.yaml"
    path.write_text("in_set: [NO, yes, on, 06:00, 1, 1.5, true, ~]\n")
    assert read_document(path).data == {"in_set": ["NO", "yes", "on", "06:00", 1, 1.5, True, None]}


def test_an_unknown_source_is_named_with_a_hint(include: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'github'"):
        load_source("githb", include)


@pytest.mark.parametrize(
    ("template", "grain", "path"),
    [
        ("hive", Grain.HOUR, "year=2021/month=07/day=21/hour=06/"),
        ("hive", Grain.DAY, "year=2021/month=07/day=21/"),
        ("plain", Grain.HOUR, "2021/07/21/06/"),
        ("date=YYYY-MM-DD/", Grain.DAY, "date=2021-07-21/"),
        ("dt=YYYYMMDDhh/", Grain.HOUR, "dt=2021072106/"),
        ("hive", Grain.of("*/15 * * * *"), "year=2021/month=07/day=21/hour=06/minute=15/"),
        ("plain", Grain.of("*/15 * * * *"), "2021/07/21/06/15/"),
        ("plain", Grain.of("0 */6 * * *"), "2021/07/21/06/"),
        ("plain", Grain.of("0 2 * * *"), "2021/07/21/"),
        ("date=YYYY-MM-DD/", Grain.of("0 2 * * *"), "date=2021-07-21/"),
        ("comments/YYYY/MM/DD/hh/", Grain.HOUR, "comments/2021/07/21/06/"),
    ],
)
def test_path_templates(template: str, grain: Grain, path: str) -> None:
    partition = Partition.containing(datetime(2021, 7, 21, 6, 20, tzinfo=UTC), grain)
    assert render(resolve(template, grain), partition) == path


def test_the_spec_is_a_function_of_manifest_and_configuration(include: Path) -> None:
    source = load_source("github", include)
    partition = Partition.parse("2021-07-21T06")
    manifest = Manifest.freeze("github", partition.key, "b", [SourceObject("a", 1, 2)])
    same = digest(source.refine_spec(manifest, partition))
    assert digest(load_source("github", include).refine_spec(manifest, partition)) == same
    edit(include, "check: not_null", "check: valid_email")
    assert digest(load_source("github", include).refine_spec(manifest, partition)) != same


def test_a_partition_of_another_grain_is_refused(include: Path) -> None:
    with pytest.raises(ValueError, match="are one hour"):
        load_source("github", include).prefixes(Partition.parse("2021-07-21"))


def test_the_platform_needs_a_project() -> None:
    with pytest.raises(ValueError, match="HOURGLASS_PROJECT"):
        Platform.from_env({})
    assert Platform.from_env({"GCP_PROJECT": "p"}).ops_bucket == "p-hourglass-ops"


def test_the_garbage_collector_rests_only_while_sources_load() -> None:
    paused = []

    def fail() -> None:
        with collector_paused():
            paused.append(not gc.isenabled())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert paused == [True]
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("data", "worth"),
    [
        ({"steps": [{"field": "actor.id", "uri": "gs://bucket/prefix/"}]}, False),
        ({"steps": [{"field": None}]}, True),
        ({"steps": [{"api_key": 1}]}, True),
        ({"steps": ["https://user:word@host/"]}, True),
    ],
)
def test_only_a_suspicious_file_is_searched_for_secrets_and_empty_keys(data: object, worth: bool) -> None:
    assert worth_a_look(data) is worth
