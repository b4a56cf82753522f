"""The commands: what they print, what they write, what they refuse."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from hourglass.cli import schema
from hourglass.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "include/samples/github/year=2021/month=07/day=21/hour=06/events-000.json.gz"


@pytest.fixture
def include(only_github: Path) -> Path:
    return only_github


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


def test_a_hundred_sources_are_validated_within_seconds(include: Path) -> None:
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
    # The start of Python included; processor time, since the machine may be busy with other tests. Usually it is 1 s.
    used = ended.children_user + ended.children_system - began.children_user - began.children_system
    assert used < 5.0


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
        good = json.loads(json.dumps(YAML(typ="safe").load(text), default=str))  # 1.2: `on` is no bool
        ingestion = good["ingestion"]
        assert list(check.iter_errors(good)) == []
        assert list(check.iter_errors({**good, "ingestion": {**ingestion, "late_window": "4 hours"}}))
        assert list(check.iter_errors({**good, "ingestion": {**ingestion, "on_empty": "ignore"}}))
        assert list(check.iter_errors({**good, "ownr": "me"}))
    every = [v for d in [described, *described["$defs"].values()] for v in d["properties"].values()]
    keys = [v for v in every if "const" not in v]
    # Where a key's words are those of its model, pydantic leaves them to the model.
    models = {f"#/$defs/{name}": model for name, model in described["$defs"].items()}
    assert [k for k in keys if not (k.get("description") or models[k.get("$ref")]["description"])] == []
    assert "PT" not in json.dumps(described)


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


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOURGLASS_PROJECT", "hourglass-test")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "plain.json",
            b'{"id": "1"}\n',
            "is json, not compressed, but github.yaml says json, compression gzip",
        ),
        ("array.json.gz", gzip.compress(b'[{"id": "1"}]', mtime=0), "is json array, gzip, but"),
        ("part.parquet", b"PAR1 and more", "is parquet, not compressed, but"),
        ("cut.json.gz", gzip.compress(b'{"id": "1"}\n' * 50, mtime=0)[:30], "cannot be read"),
        ("none.json.gz", None, "there is no file"),
    ],
)
def test_try_refuses_a_file_that_is_not_written_as_the_yaml_says(
    include: Path, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    status, output = run("try", "github", "--sample", str(tmp_path / name))
    assert status == 1
    assert said in " ".join(output.split())
    assert "make try" in output


def test_try_without_a_cloud_says_where_to_get_one(include: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOURGLASS_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCP_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    status, output = run("try", "github", "--sample", str(SAMPLE))
    assert status == 1
    assert "no Google Cloud project is set" in output
    assert "make try" in output


@pytest.mark.usefixtures("project")
def test_try_refuses_a_partition_that_the_source_does_not_have(include: Path) -> None:
    status, output = run("try", "github", "--sample", str(SAMPLE), "--partition", "2021-07-21T06:15")
    assert status == 1
    assert "2021-07-21T06:15" in output
