"""`new`: what it makes of samples in every format, and what it refuses."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import yaml
from pyarrow import parquet
from typer.testing import CliRunner

from hourglass.cli import sample
from hourglass.cli.app import app
from hourglass.cli.infer import Inferred, infer
from hourglass.config.loader import load_source_file, load_sources

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "include/samples/github/year=2021/month=07/day=21/hour=06/events-000.json.gz"


@pytest.fixture
def include(only_github: Path) -> Path:
    return only_github


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return done.exit_code, done.output


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
    broken = tmp_path / "array.json"
    broken.write_text('[\n{"a": 1},\n{"a": 2}\n')
    before.append(broken)
    assert run("new", "orders", "--from", str(broken))[0] == 1
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
    read = sample.read_sample(path)
    assert read.shape == sample.Shape("json", compress)
    return infer(read)


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
        "bad_name": ("INT64", "REQUIRED"),
        "event_date_2": ("DATE", "REQUIRED"),
    }
    assert {f["name"]: f["source_path"] for f in found.fields if "source_path" in f} == {
        "bad_name": "bad-name",
        "event_date_2": "event_date",
    }
    assert [(e["name"], e["expression"]) for e in found.enrichment] == [
        ("ts_ms_utc", "timestamp_millis(ts_ms)")
    ]
    notes = {(n.subject, n.answer): n for n in found.notes}
    assert "milliseconds since 1970" in notes["ts_ms_utc", "added, TIMESTAMP"].why
    assert "'bad-name', which BigQuery" in notes["bad_name", "INT64 REQUIRED"].why
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
    assert "2 lines that are no records" in output


KEYS = ["a-b", "a.b", "a b", "a_b", "A_B", "é", "$set", "9lives", "_PARTITIONTIME", "a" * 400, "landing_hour"]


def test_every_key_gets_a_name_that_bigquery_takes_and_keeps_its_path(include: Path, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text("".join(json.dumps(dict.fromkeys(KEYS, n)) + "\n" for n in range(120)))
    status, output = run("new", "keys", "--from", str(path))
    assert status == 0, output
    assert load_sources(include).problems == []
    fields = json.loads((include / "schemas/keys/1.0.json").read_text())["fields"]
    found = {f.get("source_path", f["name"]): f["name"] for f in fields}
    # A dot parts a path, so that a key with one cannot be named.
    assert set(found) == set(KEYS) - {"a.b"}
    assert len({name.lower() for name in found.values()}) == len(KEYS) - 1
    assert (found["a_b"], found["9lives"]) == ("a_b", "f_9lives")


CSV = [["Order ID", "amount", "paid", "placed at", "zip", "note"]] + [
    [
        f"o-{n}",
        f"{n}.50",
        "true" if n % 2 else "FALSE",
        f"2024-05-01T10:{n % 60:02}:00Z",
        f"0{n}",
        f'a;"b" {n}',
    ]
    for n in range(120)
]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("compress", [False, True])
def test_new_reads_csv(include: Path, tmp_path: Path, delimiter: str, compress: bool) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(CSV)
    path = tmp_path / "orders.csv"
    path.write_bytes(gzip.compress(text.getvalue().encode()) if compress else text.getvalue().encode())
    status, output = run("new", "shop_orders", "--from", str(path))
    assert status == 0, output
    made = load_source_file(include / "sources/shop_orders.yaml", include)
    assert {f.name: (f.source_path, f.type) for f in made.schema.fields} == {
        "Order_ID": ("Order ID", "STRING"),
        "amount": (None, "FLOAT64"),
        "paid": (None, "BOOL"),
        "placed_at": ("placed at", "TIMESTAMP"),
        "zip": (None, "STRING"),
        "note": (None, "STRING"),
    }
    ingestion = made.file.ingestion
    assert (ingestion.format, ingestion.compression) == ("csv", "gzip" if compress else "none")
    assert (ingestion.csv.delimiter if ingestion.csv else ",") == delimiter
    assert (made.event_time, made.file.deduplication_key) == ("placed_at", ["Order_ID"])


def test_new_reads_csv_without_a_header(include: Path, tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    path.write_text("".join(f"{n},{n / 4},2024-05-01\n" for n in range(120)))
    assert run("new", "plain", "--from", str(path))[0] == 0
    made = load_source_file(include / "sources/plain.yaml", include)
    assert made.file.ingestion.csv is not None
    assert made.file.ingestion.csv.header is False
    assert {f.name: f.type for f in made.schema.fields} == {
        "column_1": "INT64",
        "column_2": "FLOAT64",
        "column_3": "DATE",
    }


def test_new_reads_a_json_array_and_parquet_alike(include: Path, tmp_path: Path) -> None:
    rows = [row(n) for n in range(120)]
    array = tmp_path / "array.json"
    array.write_text(json.dumps(rows, indent=1))
    assert run("new", "in_array", "--from", str(array))[0] == 0
    whole = load_source_file(include / "sources/in_array.yaml", include)
    assert (whole.file.ingestion.format, whole.file.ingestion.multiline) == ("json", True)

    columns = {
        "id": pyarrow.array([f"{n}" for n in range(120)]),
        "at": pyarrow.array([datetime(2024, 5, 1, n % 24, tzinfo=UTC) for n in range(120)]),
        "price": pyarrow.array([Decimal(n) / 4 for n in range(120)]),
        "raw": pyarrow.array([b"x"] * 120),
        "lines": pyarrow.array([[{"sku": "a", "n": 1}]] * 120),
    }
    parquet.write_table(pyarrow.table(columns), tmp_path / "part.parquet")
    assert run("new", "in_parquet", "--from", str(tmp_path / "part.parquet"))[0] == 0
    made = load_source_file(include / "sources/in_parquet.yaml", include)
    assert (made.file.ingestion.format, made.file.ingestion.compression) == ("parquet", "none")
    assert {p: f.type for p, f in made.schema.paths().items()} == {
        "id": "STRING",
        "at": "TIMESTAMP",
        "price": "NUMERIC",
        "raw": "BYTES",
        "lines": "RECORD",
        "lines.sku": "STRING",
        "lines.n": "INT64",
    }
    assert made.event_time == "at"


def test_a_page_around_the_records_is_refused_with_how_to_unwrap_it(include: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.json"
    page = {"type": "FeatureCollection", "features": [{"id": n} for n in range(40)]}
    for text in (json.dumps(page), json.dumps(page, indent=2)):
        path.write_text(text)
        status, output = run("new", "page", "--from", str(path))
        assert status == 1
        assert "jq -c '.features[]'" in output
