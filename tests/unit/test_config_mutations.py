"""A hundred broken configurations, each with one mistake: refused with the right file and line, no traceback."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hourglass.config import ConfigError
from hourglass.config.loader import load_source_file, load_sources
from tests import docs_blocks as docs

ROOT = Path(__file__).resolve().parents[2]
YAML = (ROOT / "include/sources/github.yaml").read_text("utf-8")
SCHEMA = (ROOT / "include/schemas/github/1.0.json").read_text("utf-8")


@dataclass(frozen=True)
class Mutation:
    """One mistake: the broken file's bytes and the lines on which it may be reported (0: the whole file)."""

    name: str
    content: bytes
    lines: tuple[int, ...]
    schema: bool = False


def paths(
    node: yaml.Node, here: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], yaml.Node, yaml.Node]]:
    """Every key of a YAML document with its value's node."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*here, key.value), key, value
            yield from paths(value, (*here, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from paths(item, (*here, str(index)))


def replaced(node: yaml.Node, text: str, new: str) -> str:
    # A block's node ends where the next token begins: the line break and the indent are not its own.
    inside = text[node.start_mark.index : node.end_mark.index].rstrip()
    return text[: node.start_mark.index] + new + text[node.start_mark.index + len(inside) :]


def typos(text: str) -> Iterator[Mutation]:
    for path, key, _ in paths(yaml.compose(text)):
        word = key.value[:-1] + ("x" if key.value[-1] != "x" else "y")
        line = key.start_mark.line + 1
        # A missing key or an empty step is said where the mapping begins.
        yield Mutation(f"typo in {'.'.join(path)}", replaced(key, text, word).encode(), (line,))


def wrong_values(text: str) -> Iterator[Mutation]:
    for path, key, value in paths(yaml.compose(text)):
        line, name = key.start_mark.line + 1, ".".join(path)
        if isinstance(value, yaml.ScalarNode):
            yield Mutation(f"list for {name}", replaced(value, text, "[1, 2]").encode(), (line,))
            yield Mutation(f"mapping for {name}", replaced(value, text, "{a: b}").encode(), (line,))
            yield Mutation(f"null for {name}", replaced(value, text, "~").encode(), (line,))
        elif value.flow_style:
            yield Mutation(f"number for {name}", replaced(value, text, "7").encode(), (line,))
            yield Mutation(f"null in {name}", replaced(value, text, "[~]").encode(), (line,))
        else:
            # The whole block becomes one scalar.
            block = replaced(value, text, "seven").encode()
            yield Mutation(f"text for {name}", block, (line, line + 1))


SNIPPETS: list[tuple[str, str, str]] = [
    ("unknown pattern", "pattern: batch_file", "pattern: batch_fil"),
    ("keys of a csv format", "format: json", "csv: {header: true}"),
    ("no such format", "format: json", "format: xml"),
    ("array of text", "format: json", "multiline: yes"),
    ("unknown format", "format: json", "format: jsonl"),
    ("four cron fields", '"0 * * * *"', '"0 * * *"'),
    ("minute 61", '"0 * * * *"', '"61 * * * *"'),
    ("cron of words", '"0 * * * *"', '"every hour"'),
    ("cron that never fires", '"0 * * * *"', '"0 0 30 2 *"'),
    ("no such preset", '"0 * * * *"', '"@hour"'),
    ("duration without unit", "close_after: 10m", "close_after: 10"),
    ("duration in words", "close_after: 10m", "close_after: ten minutes"),
    ("duration of weeks", "late_window: 4h", "late_window: 1w"),
    ("negative duration", "late_window: 4h", "late_window: -4h"),
    ("window too long", "late_window: 4h", "late_window: 8d"),
    ("bucket in capitals", "gs://hourglass-raw/github/", "gs://Hourglass/github/"),
    ("location without slash", "gs://hourglass-raw/github/", "gs://hourglass-raw/github"),
    ("location in S3", "gs://hourglass-raw/github/", "s3://hourglass-raw/github/"),
    ("template without hour", "path_template: hive", "path_template: year=YYYY/month=MM/day=DD/"),
    ("template without slash", "path_template: hive", "path_template: YYYY/MM/DD/hh"),
    ("no such template", "path_template: hive", "path_template: hiv"),
    ("no files", "min_files: 1", "min_files: 0"),
    ("files in words", "min_files: 1", "min_files: one"),
    ("files and a half", "min_files: 1", "min_files: 1.5"),
    ("quoted number", "sla_minutes: 60", 'sla_minutes: "60"'),
    ("no address", "data-oncall@example.com", "data-oncall"),
    ("no schema file", "schemas/github/1.0.json", "schemas/github/2.0.json"),
    ("schema of nobody", "schemas/github/1.0.json", "schemas/gitlab/1.0.json"),
    ("schema outside", "schemas/github/1.0.json", "../include/schemas/github/1.0.json"),
    ("no such field in a key", "key: [id]", "key: [identifier]"),
    ("field twice in a key", "key: [id]", "key: [id, id]"),
    ("empty key", "key: [id]", "key: []"),
    ("no such field in a rule", "field: actor.login", "field: actor.name"),
    ("no such check", "check: not_null", "check: notnull"),
    ("no table to refer to", "check: not_null", "check: referential"),
    ("check of numbers on text", "check: not_null", "check: positive_number"),
    ("check of times on text", "check: not_null", "check: not_in_future"),
    ("address on a number", "{field: actor.login, check: not_null}", "{field: actor.id, check: valid_email}"),
    ("bounds inverted", "check: not_null}", "check: length, min: 9, max: 3}"),
    ("bounds of a regex", "check: regex, pattern:", "check: regex, min: 1, pattern:"),
    ("bad regex", '"^[^/]+/[^/]+$"', '"^([^/]+/[^/]+$"'),
    ("number in a set of text", "check: not_null}", "check: in_set, values: [a, 1]}"),
    ("empty set", "check: not_null}", "check: in_set, values: []}"),
    ("age without unit", "field: actor.login, check: not_null}", "field: created_at, check: max_age, age: 7}"),
    ("no such severity", "check: not_null}", "check: not_null, severity: info}"),
    ("rule twice", "{field: repo.name, check: regex", "{field: actor.login, check: not_null"),
    ("enrichment shadows a field", "name: repo_owner", "name: repo"),
    ("enrichment shadows ours", "name: repo_owner", "name: Event_Date"),
    ("enrichment twice", "name: is_bot", "name: repo_owner"),
    ("enrichment of no type", "type: BOOL", "type: BOOLEAN"),
    ("enrichment of no field", "split_part(repo.name", "split_part(repository.name"),
    ("enrichment of no inner field", "split_part(repo.name", "split_part(repo.title"),
    ("parenthesis open", "split_part(repo.name, '/', 1)", "split_part(repo.name, '/', 1"),
    ("event time of text", "event_time: created_at", "event_time: type"),
    ("no event time", "event_time: created_at", "event_time: createdat"),
    ("cluster by nothing", "cluster_by: [type]", "cluster_by: [kind]"),
    ("cluster by a record", "cluster_by: [type]", "cluster_by: [actor]"),
    ("cluster by an inner field", "cluster_by: [type]", "cluster_by: [actor.login]"),
    ("five clusterings", "cluster_by: [type]", "cluster_by: [type, id, public, created_at, event_date]"),
    ("view without SQL", "[github_hourly_events]", "[github_daily_events]"),
    ("features without SQL", "[github_actor]", "[github_actors]"),
    ("kept too long", "published: 400d", "published: 500d"),
    ("secret by its key", "owner: data-platform", "api_key: abcdefgh"),
    ("secret by its look", "owner: data-platform", "owner: AKIAIOSFODNN7EXAMPLE"),
    ("serving in words", "cluster_by: [type]", "reporting: yes"),
    ("tab", "  format: json", "\tformat: json"),
    ("bad indent", "  format: json", " format: json"),
    ("deeper indent", "  format: json", "    format: json"),
    ("duplicate key", "  format: json", "  format: json\n  format: json"),
    ("no space behind the colon", "  format: json", "  format:json"),
    ("quote open", "display_name: GitHub", 'display_name: "GitHub'),
    ("alias of nothing", "owner: data-platform", "owner: *nobody"),
    ("tag of Python", "owner: data-platform", "owner: !!python/name:os.system x"),
    ("list as key", "owner: data-platform", "? [owner]\n: data-platform"),
    ("control character", "owner: data-platform", "owner: data\x07platform"),
    ("another id", "source_id: github", "source_id: gitlab"),
    ("id in capitals", "source_id: github", "source_id: GitHub"),
]  # fmt: skip


def snippets() -> Iterator[Mutation]:
    for name, old, new in SNIPPETS:
        at = YAML.index(old)
        first = YAML[:at].count("\n") + 1
        # Where a parser gives up is the line of the mistake or, for indents and open quotes, the next ones.
        late = {
            "deeper indent",
            "bad indent",
            "no space behind the colon",
            "duplicate key",
            "list as key",
            "tab",
        }
        lines = range(first - 1, first + 3) if name in late else [first]
        if name == "quote open":
            lines = range(first, YAML.count("\n") + 2)
        yield Mutation(name, YAML.replace(old, new, 1).encode(), tuple(lines))


def files() -> Iterator[Mutation]:
    yield Mutation("empty file", b"", (1,))
    yield Mutation("comment only", b"# nothing\n", (1,))
    yield Mutation("byte order mark", "\ufeff".encode() + YAML.encode(), (1,))
    yield Mutation("UTF-16", YAML.encode("utf-16"), (1,))
    yield Mutation("Latin-1", YAML.replace("GitHub public", "Évents").encode("latin-1"), (3,))
    yield Mutation("list at the top", b"- source_id: github\n", (1,))
    yield Mutation("text at the top", b"github\n", (1,))
    yield Mutation("two documents", f"{YAML}---\n{YAML}".encode(), (YAML.count("\n") + 1,))
    yield Mutation("nested too deeply", b"source_id: " + b"[" * 5_000, (1,))
    yield Mutation("loop of aliases", b"source_id: &a [*a]\n", (1,))


SCHEMA_SNIPPETS: list[tuple[str, str, str]] = [
    ("no such type", '"type": "JSON"', '"type": "JSONB"'),
    ("no such mode", '"mode": "REQUIRED"', '"mode": "MANDATORY"'),
    ("no such key", '"description": "Number', '"describe": "Number'),
    ("name with a dash", '"name": "payload"', '"name": "pay-load"'),
    ("name of ours", '"name": "payload"', '"name": "landing_hour"'),
    ("name twice", '"name": "payload"', '"name": "public"'),
    ("no such class", '"classification": "public"', '"classification": "secret"'),
    ("another source", '"source_id": "github"', '"source_id": "gitlab"'),
    ("another version", '"version": "1.0"', '"version": "1.1"'),
    ("version in words", '"version": "1.0"', '"version": "first"'),
    ("comma missing", '"version": "1.0",', '"version": "1.0"'),
    ("comma too many", '"mode": "REQUIRED",', '"mode": "REQUIRED",,'),
    ("name is a number", '"name": "payload"', '"name": 7'),
    ("key twice", '"version": "1.0",', '"version": "1.0", "version": "1.0",'),
    ("key without a value", '"version": "1.0",', '"version": null,'),
]  # fmt: skip


def schemas() -> Iterator[Mutation]:
    for name, old, new in SCHEMA_SNIPPETS:
        line = SCHEMA[: SCHEMA.index(old)].count("\n") + 1
        near = (line, line + 1) if name in ("comma missing",) else (line,)
        if name in ("name of ours", "name twice"):  # found by the list of fields as a whole
            near = (line, SCHEMA[: SCHEMA.index('"fields"')].count("\n") + 1)
        yield Mutation(f"schema: {name}", SCHEMA.replace(old, new, 1).encode(), near, schema=True)
    yield Mutation("schema: empty", b"", (1,), schema=True)
    yield Mutation("schema: a list", b"[]", (1,), schema=True)
    yield Mutation("schema: not UTF-8", b'{"a": "\xff"}', (1,), schema=True)


ALL = [*typos(YAML), *wrong_values(YAML), *snippets(), *files(), *schemas()]


@pytest.fixture(scope="module")
def include(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("include")
    for name in ("sources", "schemas", "sql/materialized_views", "sql/features"):
        shutil.copytree(ROOT / "include" / name, folder / name)
    for extra in (folder / "sources").glob("*.yaml"):
        if extra.stem != "github":
            extra.unlink()
    return folder


@pytest.fixture
def broken(include: Path) -> Iterator[Path]:
    yield include
    (include / "sources/github.yaml").write_text(YAML, "utf-8")
    (include / "schemas/github/1.0.json").write_text(SCHEMA, "utf-8")


def test_there_are_more_than_a_hundred() -> None:
    assert len(ALL) > 200
    assert len({m.name for m in ALL}) == len(ALL)


def test_the_unbroken_one_is_sound(include: Path) -> None:
    assert load_sources(include).problems == []


@pytest.mark.parametrize("mutation", ALL, ids=lambda m: m.name)
def test_a_mutation_is_refused_where_it_stands(broken: Path, mutation: Mutation) -> None:
    file = broken / ("schemas/github/1.0.json" if mutation.schema else "sources/github.yaml")
    file.write_bytes(mutation.content)
    loaded = load_sources(broken)
    assert loaded.sources == []
    mine = [p for p in loaded.problems if p.file.endswith(file.name)]
    assert [p for p in mine if p.line in mutation.lines], (mutation.lines, [str(p) for p in loaded.problems])
    for problem in loaded.problems:
        assert re.fullmatch(r"[^\n]+:\d+:\d+: error: [^\n]+", str(problem).splitlines()[0])
        page, _, anchor = problem.link.partition("#")
        assert anchor in docs.anchors(ROOT / page)


# What the document's files do not use of the keys that there are: a place in one of them, and more keys there.
CANONICAL = Path(__file__).parent / "canonical"
MORE: dict[str, list[tuple[str, str]]] = {
    "batch_file": [
        (
            "  format: csv",
            "  format: csv\n  csv:\n    header: true\n    delimiter: ;\n    null_value: nothing",
        ),
        ("  sla_minutes", "  slack: '#data'\n  pagerduty: data\n  volume_tolerance: 0.1\n  sla_minutes"),
        (
            "monitoring:",
            "retention:\n  gold: 30d\n  bronze:\n    standard: 90d\n    archive: 999d\nmonitoring:",
        ),
    ],
    "streaming_api": [
        (
            "  poll_interval",
            "  pagination:\n    items: data\n    cursor: after\n    more: has_more\n  poll_interval",
        ),
        ("gold.salesforce_exports", "silver.stripe_payments, type: inner"),
        ("on: email", "on: [id, email]"),
        (
            "          - {field: amount",
            "          - {check: unique, fields: [id]}\n"
            "          - {field: id, check: referential, table: silver.stripe_payments, column: id}\n"
            "          - {field: amount",
        ),
    ],
    "database_cdc": [
        ("    - dedup", "    - pii:\n        hash: [email]\n        drop: [amount]\n    - dedup"),
    ],
    "cloud_transfer": [],
    "event_streaming": [
        ("  window_size", "  multiline: true\n  dead_letter: gs://company-raw/dead/\n  window_size")
    ],
}


def whole(pattern: str) -> str:
    text = (CANONICAL / f"{pattern}.yaml").read_text("utf-8")
    for old, new in MORE[pattern]:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize("pattern", MORE)
def test_a_mutation_of_any_pattern_is_refused_where_it_stands(tmp_path: Path, pattern: str) -> None:
    text = whole(pattern)
    source_id = yaml.safe_load(text)["source_id"]
    for folder in ("sources", "schemas"):
        (tmp_path / folder).mkdir()
    schema = (CANONICAL / "schema.json").read_text("utf-8").replace("SOURCE", source_id)
    (tmp_path / f"schemas/{source_id}.json").write_text(schema, "utf-8")
    path = tmp_path / f"sources/{source_id}.yaml"
    path.write_text(text, "utf-8")
    load_source_file(path, tmp_path)
    mutations = [*typos(text), *wrong_values(text)]
    assert len(mutations) > 40
    missed = [m.name for m in mutations if not refused(path, tmp_path, m)]
    assert missed == []


def refused(path: Path, include: Path, mutation: Mutation) -> bool:
    """Whether a mistake is named on its line."""
    path.write_bytes(mutation.content)
    try:
        load_source_file(path, include)
    except ConfigError as error:
        return any(p.line in mutation.lines and p.file.endswith(path.name) for p in error.problems)
    return False


TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.sampled_from(["hive", "1h", "id", "json"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
FUZZ = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)


def judge(include: Path, file: str, content: bytes) -> None:
    """Whatever a file holds, it is a source or a ConfigError."""
    path = include / file
    path.write_bytes(content)
    try:
        load_source_file(include / "sources/github.yaml", include)
    except ConfigError as error:
        told = [str(problem) for problem in error.problems]
    else:
        told = ["sound"]
    assert all(told)
    assert told


@FUZZ
@given(st.binary(max_size=300))
def test_bytes_never_raise_anything_else(broken: Path, content: bytes) -> None:
    judge(broken, "sources/github.yaml", content)
    judge(broken, "schemas/github/1.0.json", content)


@FUZZ
@given(st.text(st.sampled_from(list("abid:-[]{}&*!?|>'\"#%@, \n\t~0179.xe")), max_size=200))
def test_marks_of_yaml_never_raise_anything_else(broken: Path, content: str) -> None:
    judge(broken, "sources/github.yaml", content.encode())


def with_a_value_somewhere(data: st.DataObject, text: str) -> Any:
    """A document's value with anything at a place that is drawn."""
    content: Any = yaml.safe_load(text)
    spot, keys = content, []
    while isinstance(spot, dict | list) and spot and (not keys or data.draw(st.booleans())):
        keys.append(data.draw(st.sampled_from(list(spot) if isinstance(spot, dict) else range(len(spot)))))
        spot = spot[keys[-1]]
    target = content
    for key in keys[:-1]:
        target = target[key]
    target[keys[-1]] = data.draw(VALUES)
    return content


@FUZZ
@given(st.data())
def test_a_value_anywhere_never_raises_anything_else(broken: Path, data: st.DataObject) -> None:
    for file, text in (("sources/github.yaml", YAML), ("schemas/github/1.0.json", SCHEMA)):
        content = with_a_value_somewhere(data, text)
        dumped = json.dumps(content) if file.endswith("json") else yaml.safe_dump(content, allow_unicode=True)
        judge(broken, file, dumped.encode("utf-8", "surrogatepass"))
        (broken / file).write_text(text, "utf-8")


@FUZZ
@given(st.data(), st.sampled_from(list(MORE)))
def test_a_value_anywhere_in_a_pattern_never_raises_anything_else(
    broken: Path, data: st.DataObject, pattern: str
) -> None:
    # With github's schema: what its fields lack are mistakes like any other.
    text = whole(pattern).replace("schemas/", "schemas/github/1.0.json # ")
    dumped = yaml.safe_dump(with_a_value_somewhere(data, text), allow_unicode=True)
    judge(broken, "sources/github.yaml", dumped.encode("utf-8", "surrogatepass"))
