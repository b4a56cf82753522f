"""The commands: what they print, what they write, what they refuse."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from hourglass.cli import profile, schema
from hourglass.cli.app import app
from hourglass.cli.infer import Inferred, infer
from hourglass.config.loader import load_source_file, load_sources

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "include/samples/github/year=2021/month=07/day=21/hour=06/events-000.json.gz"


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "include"
    for name in ("sources", "schemas", "sql/materialized_views", "sql/features"):
        shutil.copytree(ROOT / "include" / name, folder / name)
    for extra in (folder / "sources").glob("*.yaml"):
        if extra.stem != "github":
            extra.unlink()
    monkeypatch.setenv("HOURGLASS_INCLUDE", str(folder))
    return folder


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return done.exit_code, done.output


def break_github(include: Path) -> None:
    path = include / "sources/github.yaml"
    path.write_text(path.read_text().replace("on_empty: fail", "on_emtpy: fail"))


def test_validate_says_that_all_is_well(include: Path) -> None:
    status, output = run("validate")
    assert (status, output.split(" in ")[0]) == (0, "1 source checked")
    assert "no mistakes" in output


def test_validate_fails_with_place_caret_hint_and_link(include: Path) -> None:
    break_github(include)
    status, output = run("validate")
    assert status == 1
    head, line, caret, link = output.splitlines()[:4]
    number = next(
        n for n, t in enumerate((include / "sources/github.yaml").read_text().splitlines(), 1) if "emtpy" in t
    )
    assert f"github.yaml:{number}:3: error: unknown key 'on_emtpy'; did you mean 'on_empty'?" in head
    assert line.index("on_emtpy") == caret.index("^")
    assert link.strip() == "see docs/reference/source-file.md#ingestion"


def test_validate_speaks_json_and_github(include: Path) -> None:
    break_github(include)
    status, output = run("validate", "--format", "json")
    (problem,) = json.loads(output)
    assert (status, problem["column"], problem["severity"]) == (1, 3, "error")
    status, output = run("validate", "--format", "github")
    assert status == 1
    assert output.startswith("::error file=")
    assert f",line={problem['line']},col=3," in output
    assert len(output.splitlines()) == 1


def test_validate_of_one_file_leaves_the_others_alone(include: Path) -> None:
    break_github(include)
    assert run("new", "orders")[0] == 0
    assert run("validate", str(include / "sources/orders.yaml"))[0] == 0
    assert run("validate", "orders")[0] == 0
    assert run("validate", "github")[0] == 1


def test_validate_blames_the_given_file_for_a_shared_location(include: Path) -> None:
    assert run("new", "aaa")[0] == 0
    path = include / "sources/aaa.yaml"
    path.write_text(path.read_text().replace("hourglass-raw/aaa/", "hourglass-raw/github/"))
    status, output = run("validate", "aaa")
    assert status == 1
    assert "sources/aaa.yaml:" in output
    assert "already the location of" in output


def test_a_file_that_is_not_there_is_a_mistake(include: Path) -> None:
    status, output = run("validate", "nothing")
    assert status == 1
    assert "there is no such file" in output


def test_a_hundred_sources_are_validated_within_two_seconds(include: Path) -> None:
    text = (include / "sources/github.yaml").read_text()
    fields = json.loads((include / "schemas/github/1.0.json").read_text())
    for number in range(100):
        name = f"source_{number:03}"
        renamed = text.replace("source_id: github", f"source_id: {name}").replace(
            "schemas/github", f"schemas/{name}"
        )
        (include / f"sources/{name}.yaml").write_text(renamed.replace("raw/github/", f"raw/{name}/"))
        (include / f"schemas/{name}").mkdir()
        (include / f"schemas/{name}/1.0.json").write_text(json.dumps(fields | {"source_id": name}, indent=2))
    env = {**os.environ, "PYTHONPATH": str(ROOT / "plugins"), "HOURGLASS_INCLUDE": str(include)}
    began = os.times()
    done = subprocess.run(
        [sys.executable, "-m", "hourglass", "validate"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ended = os.times()
    assert done.stdout.startswith("101 sources checked"), done.stdout + done.stderr
    # The interpreter's start included; processor time, since the machine may be busy with other tests.
    used = ended.children_user + ended.children_system - began.children_user - began.children_system
    assert used < 2.0


def test_a_configuration_error_is_no_traceback() -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    done = subprocess.run(
        [sys.executable, "-m", "hourglass", "show", "githb"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "did you mean 'github'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_show_marks_what_is_by_default(include: Path) -> None:
    status, output = run("show", "github")
    assert status == 0
    assert "max_ahead: 5m  (default)" in output
    assert "late_window: 4h\n" in output
    for fact in (
        "one hour",
        "gs://hourglass-raw/github/year=",
        "created_at",
        "silver.github",
        "refine-github-",
    ):
        assert fact in output


def test_show_prints_the_tasks_by_stage(airflow_env: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hourglass", "show", "github", "--tasks"],
        env={**os.environ, **airflow_env}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    tree = done.stdout[done.stdout.index("DAG github") :]
    order = [
        "sense",
        "admit",
        "refine",
        "gate",
        "load_silver",
        "publish",
        "transform",
        "serve",
        "announce",
        "emit",
    ]
    places = [tree.index(f"─ {name}") for name in order]
    assert places == sorted(places)


def test_the_json_schema_for_editors_is_not_stale() -> None:
    assert schema.schema_file().read_text("utf-8") == schema.source_schema(), (
        "run `python -m hourglass schema`"
    )


def test_the_reference_is_not_stale() -> None:
    text = schema.reference_file().read_text("utf-8")
    assert schema.reference(text) == text, "run `python -m hourglass schema --docs`"
    assert all(f"<!-- generated: {name} -->" in text for name in schema.TABLES)


def test_schema_check_tells_when_it_is_stale(include: Path) -> None:
    assert run("schema", "--check")[0] == 1
    assert run("schema")[0] == 0
    assert run("schema", "--check")[0] == 0
    (include / "source.schema.json").write_text("{}")
    assert run("schema", "--check")[0] == 1


def test_the_json_schema_takes_what_the_loader_takes_and_describes_every_key() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    described = json.loads(schema.source_schema())
    check = jsonschema.Draft202012Validator(described)
    for path in (ROOT / "include/sources").glob("*.yaml"):
        text = path.read_text("utf-8")
        assert text.startswith("# yaml-language-server: $schema=../source.schema.json\n"), path
        good = yaml.load(text, yaml.BaseLoader)  # noqa: S506 (texts only)
        ingestion = good["ingestion"]
        ingestion.get("completeness", {}).pop("min_files", None)
        good.get("monitoring", {}).pop("sla_minutes", None)
        assert list(check.iter_errors(good)) == []
        assert list(check.iter_errors({**good, "ingestion": {**ingestion, "late_window": "4 hours"}}))
        assert list(check.iter_errors({**good, "ingestion": {**ingestion, "on_empty": "ignore"}}))
        assert list(check.iter_errors({**good, "ownr": "me"}))
    keys = [v for d in [described, *described["$defs"].values()] for v in d["properties"].values()]
    # Where a key's words are those of its model, pydantic leaves them to the model.
    models = {f"#/$defs/{name}": model for name, model in described["$defs"].items()}
    assert [k for k in keys if not (k.get("description") or models[k["$ref"]]["description"])] == []
    assert "PT" not in json.dumps(described)


def test_new_from_a_sample_is_sound_unchanged_and_near_to_what_a_person_wrote(include: Path) -> None:
    status, output = run("new", "gh_events", "--from", str(SAMPLE))
    assert status == 0, output
    assert run("validate")[0] == 0
    made = load_source_file(include / "sources/gh_events.yaml", include)
    by_hand = load_source_file(include / "sources/github.yaml", include)
    assert {p: f.type for p, f in made.schema.paths().items()} == {
        p: f.type for p, f in by_hand.schema.paths().items()
    }
    assert (made.event_time, made.file.deduplication_key) == ("created_at", ["id"])
    assert made.file.ingestion.compression == "gzip"
    suite = yaml.safe_load((include / "expectations/gh_events.yaml").read_text())["expectations"]
    assert {"type": "ExpectColumnValuesToBeUnique", "column": "id"}.items() <= suite[1].items()
    page = include.parent / "docs/sources/gh_events.md"
    assert "| `actor.login` | STRING" in page.read_text()
    assert "(gh_events.md)" in page.with_name("README.md").read_text()
    assert "high" in output


def test_new_overwrites_nothing(include: Path) -> None:
    assert run("new", "orders")[0] == 0
    before = {p: p.read_text() for p in include.parent.rglob("*") if p.is_file()}
    status, output = run("new", "orders")
    assert status == 1
    assert "nothing was written" in output
    assert {p: p.read_text() for p in include.parent.rglob("*") if p.is_file()} == before


def test_new_leaves_nothing_behind_when_it_fails(include: Path, tmp_path: Path) -> None:
    before = sorted(include.parent.rglob("*"))
    array = tmp_path / "array.json"
    array.write_text('[\n{"a": 1},\n{"a": 2}\n]\n')
    before.append(array)
    assert run("new", "orders", "--from", str(array))[0] == 1
    assert run("new", "orders", "--from", str(tmp_path / "none.json"))[0] == 1
    done = CliRunner().invoke(app, ["new", "orders", "--location", "gs://hourglass-raw/github/"])
    assert "already the location" in str(done.exception)
    done = CliRunner().invoke(app, ["new", "Orders"])
    assert "lower-case letters" in str(done.exception)
    assert sorted(include.parent.rglob("*")) == sorted(before)


def inferred(tmp_path: Path, rows: list[dict[str, Any]], *, compress: bool = False) -> Inferred:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path = tmp_path / "sample.json"
    path.write_bytes(gzip.compress(text) if compress else text)
    sample = profile.read_sample(path)
    assert sample.gzipped is compress
    return infer(sample)


def row(number: int) -> dict[str, Any]:
    """One event of a shape that no shipped source has."""
    return {
        "meta": {"uuid": f"u-{number}", "sent": f"2024-05-{number % 28 + 1:02}T10:00:00.123Z"},
        "happened": f"2024-05-01 10:00:{number % 60:02}",
        "day": "2024-05-01",
        "ts_ms": 1_714_557_600_000 + number,
        "count": number,
        "ratio": number if number % 2 else number / 3,
        "huge": 2**70,
        "flag": bool(number % 2),
        "email": f"a{number}@example.com",
        "mixed": number if number % 2 else "text",
        "tags": ["a"] * (number % 3),
        "items": [{"sku": "x", "quantity": 1, "price": 1.5}],
        "empty": {},
        "nothing": None,
        "sometimes": 1,
        "bad-name": 1,
        "event_date": "2024-05-01",
        "props": {f"key{number % 40}": number},
    }


@pytest.mark.parametrize("compress", [False, True])
def test_every_kind_of_value_gets_its_type(tmp_path: Path, compress: bool) -> None:
    rows = [row(n) for n in range(120)]
    del rows[3]["sometimes"]
    found = inferred(tmp_path, [*rows, rows[0]], compress=compress)
    types = {f["name"]: (f["type"], f["mode"]) for f in found.fields}
    assert types == {
        "meta": ("RECORD", "REQUIRED"),
        "happened": ("TIMESTAMP", "REQUIRED"),
        "day": ("DATE", "REQUIRED"),
        "ts_ms": ("INT64", "REQUIRED"),
        "count": ("INT64", "REQUIRED"),
        "ratio": ("FLOAT64", "REQUIRED"),
        "huge": ("NUMERIC", "REQUIRED"),
        "flag": ("BOOL", "REQUIRED"),
        "email": ("STRING", "REQUIRED"),
        "mixed": ("JSON", "REQUIRED"),
        "tags": ("STRING", "REPEATED"),
        "items": ("RECORD", "REPEATED"),
        "empty": ("JSON", "REQUIRED"),
        "nothing": ("JSON", "NULLABLE"),
        "sometimes": ("INT64", "NULLABLE"),
        "props": ("JSON", "REQUIRED"),
    }
    notes = {(n.subject, n.answer): n for n in found.notes}
    assert "milliseconds since 1970" in notes["ts_ms", "stays INT64"].why
    assert "letters, digits" in notes["bad-name", "left out"].why
    assert "Hourglass adds" in notes["event_date", "left out"].why
    assert found.key == ["meta.uuid"]
    assert found.event_time == "happened"
    assert next(f for f in found.fields if f["name"] == "email")["classification"] == "pii"


def test_few_lines_make_nothing_required(tmp_path: Path) -> None:
    found = inferred(tmp_path, [{"id": "a", "n": 1}, {"id": "b", "n": 1}])
    assert {f["mode"] for f in found.fields} == {"NULLABLE"}
    assert found.key == ["id"]
    assert found.event_time is None


@pytest.mark.parametrize("name", ["amount", "ts_micros", "user_id", "actor.id", "meta.session_id"])
def test_a_doubtful_key_is_named_but_not_used(tmp_path: Path, name: str) -> None:
    # A wrong key makes refine drop events, so being unique in a sample is not enough.
    outer, _, inner = name.rpartition(".")
    found = inferred(tmp_path, [{outer: {inner: n}} if outer else {name: n} for n in range(200)])
    assert found.key == []
    (note,) = [n for n in found.notes if n.subject == "deduplication key"]
    assert note.sure == "low"
    assert name in note.why


@pytest.mark.parametrize("name", ["id", "event_id", "uuid", "order_id", "meta.uuid"])
def test_a_key_by_name_and_values_is_used(tmp_path: Path, name: str) -> None:
    outer, _, inner = name.rpartition(".")
    found = inferred(tmp_path, [{outer: {inner: f"{n}"}} if outer else {name: f"{n}"} for n in range(200)])
    assert found.key == [name]


def test_a_strange_sample_still_makes_a_sound_source(include: Path, tmp_path: Path) -> None:
    rows = [
        {"null": n, "ID": 1, "id": 2, "": 3, "a": [[1]], "b": [None], "c": {"d e": 1}, "e": 10**40}
        for n in range(30)
    ]
    path = tmp_path / "strange.json"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows) + "\nnot json\n[1]\n")
    status, output = run("new", "strange", "--from", str(path))
    assert status == 0, output
    assert load_sources(include).problems == []
    assert "2 lines that are no objects" in output


def test_the_commands_start_without_airflow() -> None:
    probe = "import sys; import hourglass.cli.validate, hourglass.cli.new, hourglass.cli.show; " \
        "print([m for m in sys.modules if m.split('.')[0] in ('airflow', 'pandas', 'cosmos', 'grpc')])"  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", probe], env=env, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
    assert time.monotonic() - began < 30
