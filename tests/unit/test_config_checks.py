"""Across files: versions of a schema, locations, expressions and secrets."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from hourglass.config.cron import check_schedule
from hourglass.config.expressions import imbalance, unknown_names
from hourglass.config.loader import load_source_file, load_sources
from hourglass.config.plain_secrets import plain_secrets
from hourglass.config.types import parse_duration, shown_duration

ROOT = Path(__file__).resolve().parents[2]
# The shape of the onboarding document that the platforms share, with none of Hourglass's own keys.
CANONICAL = """\
source_id: customer_orders
display_name: Customer orders
description: Orders
ingestion:
  pattern: batch_file
  location: gs://company-raw/customer_orders/
  schedule: "0 * * * *"
  format: json
  compression: gzip
schema:
  file: schemas/customer_orders.json
  validation: strict
  evolution: backward_compatible
processing:
  bronze_to_silver:
    - deduplication:
        key: [transaction_id]
    - data_quality:
        rules:
          - {field: customer_email, check: valid_email}
          - {field: amount, check: positive_number}
serving:
  third_party_api: false
  reporting: false
  ml_features: false
monitoring:
  sla_minutes: 30
  alert_email: team@company.com
  metrics: [record_count, latency_p95]
"""
FIELDS: list[dict[str, Any]] = [
    {"name": "transaction_id", "type": "STRING", "mode": "REQUIRED"},
    {"name": "customer_email", "type": "STRING"},
    {"name": "amount", "type": "NUMERIC", "mode": "NULLABLE"},
    {"name": "event_timestamp", "type": "TIMESTAMP", "mode": "REQUIRED"},
    {"name": "items", "type": "RECORD", "mode": "REPEATED", "fields": [{"name": "sku", "type": "STRING"}]},
    {"name": "address", "type": "RECORD", "fields": [{"name": "city", "type": "STRING"}]},
]


@pytest.fixture
def include(tmp_path: Path) -> Path:
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/customer_orders.yaml").write_text(CANONICAL)
    write(tmp_path / "schemas/customer_orders.json", "1.0", FIELDS)
    return tmp_path


def write(path: Path, version: str, fields: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = {"source_id": "customer_orders", "version": version, "fields": fields}
    path.write_text(json.dumps(schema, indent="\t"))


def edit(include: Path, old: str, new: str) -> list[str]:
    path = include / "sources/customer_orders.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return said(include)


def said(include: Path) -> list[str]:
    return [str(p) for p in load_sources(include).problems]


def test_the_canonical_shape_loads_unchanged(include: Path) -> None:
    source = load_source_file(include / "sources/customer_orders.yaml", include)
    assert source.by_creation_time
    assert source.event_time == "event_timestamp"
    assert source.schema.version == "1.0"


def test_a_rule_on_a_field_that_is_not_there_names_the_fields(include: Path) -> None:
    (problem,) = edit(include, "field: amount", "field: amuont")
    head = problem.splitlines()[0]
    assert "customer_orders.yaml:21:21: error: field 'amuont' is not in" in head
    assert "did you mean 'amount'? It has transaction_id, customer_email, amount" in head


def changed(**changes: Any) -> list[dict[str, Any]]:
    return [{**f, **changes.get(f["name"], {})} for f in FIELDS]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (FIELDS[:2] + FIELDS[3:], "field 'amount' is dropped"),
        (changed(amount={"type": "FLOAT64"}), "field 'amount' becomes FLOAT64: it is NUMERIC"),
        (changed(amount={"mode": "REPEATED"}), "field 'amount' becomes REPEATED"),
        (changed(amount={"mode": "REQUIRED"}), "field 'amount' becomes REQUIRED"),
        ([*FIELDS, {"name": "x", "type": "STRING", "mode": "REQUIRED"}], "field x is new and REQUIRED"),
        (changed(address={"fields": [{"name": "town", "type": "STRING"}]}), "'address.city' is dropped"),
        (changed(items={"fields": [{"name": "sku", "type": "INT64"}]}), "'items.sku' becomes INT64"),
    ],
)
def test_a_version_that_breaks_the_one_before_is_refused(
    include: Path, fields: list[dict[str, Any]], says: str
) -> None:
    write(include / "schemas/customer_orders/1.9.json", "1.9", FIELDS)
    write(include / "schemas/customer_orders/1.10.json", "1.10", fields)
    problems = edit(include, "schemas/customer_orders.json", "schemas/customer_orders/1.10.json")
    broken = [p for p in problems if says in p]
    assert broken, problems
    assert "1.10.json:" in broken[0]
    assert "1.9.json" in broken[0]
    assert "evolution: none" in broken[0]
    assert not [p for p in edit(include, "evolution: backward_compatible", "evolution: none") if says in p]


def test_a_version_that_only_adds_is_accepted(include: Path) -> None:
    write(include / "schemas/customer_orders/1.0.json", "1.0", FIELDS)
    more = [*changed(transaction_id={"mode": "NULLABLE"}), {"name": "x", "type": "STRING"}]
    write(include / "schemas/customer_orders/1.1.json", "1.1", more)
    assert edit(include, "schemas/customer_orders.json", "schemas/customer_orders/1.1.json") == []


def test_versions_are_named_after_what_they_say(include: Path) -> None:
    write(include / "schemas/customer_orders/1.1.json", "1.2", FIELDS)
    write(include / "schemas/customer_orders/1.1.0.json", "1.1.0", FIELDS)
    twice, other = edit(include, "schemas/customer_orders.json", "schemas/customer_orders/1.1.json")
    assert "are the same version" in twice
    assert "version '1.2' differs from the file's name" in other


@pytest.mark.parametrize(
    ("location", "template", "clash"),
    [
        ("gs://company-raw/customer_orders/", None, True),
        ("gs://company-raw/customer_orders/eu/", "hive", True),
        ("gs://company-raw/", None, True),
        ("gs://company-raw/customer_orders_eu/", None, False),
        ("gs://other-raw/customer_orders/", "hive", False),
    ],
)
def test_locations_must_not_overlap(include: Path, location: str, template: str | None, clash: bool) -> None:
    text = CANONICAL.replace("source_id: customer_orders", "source_id: other").replace(
        "schemas/customer_orders", "schemas/other"
    )
    place = location + (f"\n  path_template: {template}" if template else "")
    (include / "sources/other.yaml").write_text(text.replace("gs://company-raw/customer_orders/", place))
    schema = (include / "schemas/customer_orders.json").read_text()
    (include / "schemas/other.json").write_text(schema.replace("customer_orders", "other"))
    problems = said(include)
    assert len(problems) == clash
    assert all("other.yaml:6:13: error:" in p for p in problems)


@pytest.mark.parametrize("name", ["items.sku", "items"])
def test_a_key_inside_a_list_is_refused(include: Path, name: str) -> None:
    (problem,) = edit(include, "key: [transaction_id]", f"key: [{name}]")
    assert "REPEATED items" in problem


def test_a_rule_inside_a_list_is_refused(include: Path) -> None:
    (problem,) = edit(
        include, "{field: amount, check: positive_number}", "{field: items.sku, check: not_null}"
    )
    assert "forall(items" in problem
    shutil.copy(ROOT / "include/sources/github.yaml", include / "sources/copy.yml")
    assert any("rename it copy.yaml" in p for p in said(include))


KNOWN = {"a": True, "a.b": False, "c": False, "list": False}


@pytest.mark.parametrize(
    "expression",
    [
        "split_part(a.b, '/', 1)", "A.B = 'x' AND c IS NOT NULL", "CASE WHEN c > 1 THEN 'hi' ELSE 'lo' END",
        "exists(list, x -> x.sku = 'a')", "aggregate(list, 0, (acc, x) -> acc + x.price)", "list[0].sku", "c.deep.er",
        "cast(c AS DECIMAL(10, 2))", "c + INTERVAL 1 DAY", "timestamp'2021-01-01' < c", "`a`.`b`", "-- nothing\nc",
        "date_trunc('month', c)", "extract(year FROM c)", "c IN ('it''s', 'b')", "get_json_object(c, '$.x.y')",
        "try_cast(c AS BIGINT) BETWEEN 1e3 AND 2L", "c RLIKE r'\\d+'", "c::int", "\"text\" || c", "c->>'x'",
    ],
)  # fmt: skip
def test_a_sound_expression_passes(expression: str) -> None:
    assert unknown_names(expression, KNOWN) == []
    assert imbalance(expression) is None


@pytest.mark.parametrize(
    ("expression", "names"), [("a.x", ["a.x"]), ("d", ["d"]), ("upper(cc)", ["cc"]), ("`dd`", ["dd"])]
)
def test_an_unknown_name_is_found(expression: str, names: list[str]) -> None:
    assert unknown_names(expression, KNOWN) == names


@pytest.mark.parametrize("expression", ["upper(c", "c)", "c = 'x", "(c))("])
def test_what_is_not_closed_is_found(expression: str) -> None:
    assert imbalance(expression)


@pytest.mark.parametrize(
    "data",
    [
        {"password": "hunter2"}, {"a": {"stripe_api_key": "x"}}, {"token": "x"}, {"a": ["AKIAIOSFODNN7EXAMPLE"]},
        {"a": "postgres://me:secret@host/db"}, {"a": "-----BEGIN RSA PRIVATE KEY-----"}, {"client_secret": 1},
    ],
)  # fmt: skip
def test_a_secret_is_found_and_not_repeated(data: dict[str, Any]) -> None:
    ((_, message),) = plain_secrets(data)
    assert "Secret Manager" in message
    assert not any(word in message for word in ("hunter2", "AKIA", "me:secret"))


def test_names_that_only_sound_like_secrets_pass() -> None:
    innocent = {"secret_name": "stripe", "key": ["id"], "tokens": ["a"], "keyword": "x", "password": {"a": 1}}
    assert list(plain_secrets(innocent)) == []


@pytest.mark.parametrize(
    "cron", ["0 * * *", "60 * * * *", "0 24 * * *", "a * * * *", "5-1 * * * *", "*/0 * * * *", ""]
)
def test_what_is_no_cron_is_refused(cron: str) -> None:
    with pytest.raises(ValueError, match="is not a cron expression"):
        check_schedule(cron)


@pytest.mark.parametrize(
    "cron", ["*/15 * * * *", "0 8 * * mon-fri", "0 0 1 jan *", "@weekly", "0 */6 * * *", "0 2 * * *"]
)
def test_a_sound_cron_passes(cron: str) -> None:
    check_schedule(cron)


@pytest.mark.parametrize("text", ["90s", "10m", "4h", "7d", "25h", "0s"])
def test_durations_are_shown_as_they_are_written(text: str) -> None:
    assert shown_duration(parse_duration(text)) == text
