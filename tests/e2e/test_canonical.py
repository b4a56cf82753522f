"""A source in exactly the canonical shape: validated, compiled, run on generated data, and its gold table."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery

from hourglass.config import Source, load_source
from hourglass.generate.core import Rates
from hourglass.generate.write import generate
from hourglass.partition import Partition
from local.cloud import Cloud
from tests.e2e.landed import date, upload

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 1, 5, 6, tzinfo=UTC)
CUSTOMERS = """
source_id: customers
display_name: Customers
description: The customers of the shop
ingestion:
  pattern: batch_file
  location: gs://hourglass-raw/customers/
  schedule: "0 * * * *"
  format: json
  compression: none
schema:
  file: schemas/customers.json
  validation: strict
processing:
  bronze_to_silver:
    - deduplication: {key: [customer_id]}
"""
PAYMENTS = """
source_id: payments
display_name: Payments
description: What customers pay
ingestion:
  pattern: batch_file
  location: gs://hourglass-raw/payments/
  schedule: "0 * * * *"
  format: json
  compression: none
schema:
  file: schemas/payments.json
  validation: strict
  evolution: backward_compatible
processing:
  bronze_to_silver:
    - deduplication: {key: [payment_id]}
    - data_quality:
        rules:
          - {field: email, check: valid_email}
          - {field: amount, check: positive_number}
  silver_to_gold:
    - join: {table: gold.customers, on: customer_id}
    - aggregate:
        group_by: [customer_id, date]
        metrics: ["sum(amount) as total_amount", "count(*) as transaction_count", "max(segment) as segment"]
serving:
  third_party_api: false
  reporting: true
  ml_features: false
monitoring:
  sla_minutes: 60
  alert_email: data@example.com
  metrics: [record_count, latency_p95, error_rate]
"""
FIELDS = {
    "customers": [
        ("customer_id", "STRING", "REQUIRED", "sensitive"),
        ("segment", "STRING", "NULLABLE", "public"),
        ("updated_at", "TIMESTAMP", "REQUIRED", "public"),
    ],
    "payments": [
        ("payment_id", "STRING", "REQUIRED", "public"),
        ("customer_id", "STRING", "REQUIRED", "sensitive"),
        ("email", "STRING", "NULLABLE", "pii"),
        ("amount", "NUMERIC", "REQUIRED", "public"),
        ("paid_at", "TIMESTAMP", "REQUIRED", "public"),
    ],
}
BAD = (
    {"payment_id": "bad-1", "email": "no address", "amount": 5},
    {"payment_id": "bad-2", "email": "a@example.com", "amount": -5},
    {"email": "a@example.com", "amount": 5},
)


@pytest.fixture(scope="module")
def include(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An include folder of these two sources, with the product's dbt project; HOURGLASS_INCLUDE names it."""
    folder = tmp_path_factory.mktemp("canonical") / "include"
    for name in ("spark", "sql"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(ROOT / "include" / name)
    ignored = shutil.ignore_patterns("target", "logs", "models", "seeds", "snapshots")
    shutil.copytree(ROOT / "include/dbt", folder / "dbt", ignore=ignored)
    for name in ("sources", "schemas"):
        (folder / name).mkdir()
    for name, text in (("customers", CUSTOMERS), ("payments", PAYMENTS)):
        (folder / "sources" / f"{name}.yaml").write_text(text.lstrip())
        keys = ("name", "type", "mode", "classification")
        fields = [{**dict(zip(keys, f, strict=True)), "description": f[0]} for f in FIELDS[name]]
        schema = {"source_id": name, "version": "1.0", "fields": fields}
        (folder / "schemas" / f"{name}.json").write_text(json.dumps(schema))
    before = os.environ.get("HOURGLASS_INCLUDE")
    os.environ["HOURGLASS_INCLUDE"] = str(folder)
    yield folder
    del os.environ["HOURGLASS_INCLUDE"]
    if before is not None:
        os.environ["HOURGLASS_INCLUDE"] = before


def hourglass(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hourglass", *arguments]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "plugins")}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_it_is_sound(include: Path) -> None:
    done = hourglass("validate")
    assert done.returncode == 0, done.stdout
    assert "2 sources checked" in done.stdout


def test_a_rule_on_a_field_that_its_schema_lacks_is_refused_where_it_stands(include: Path) -> None:
    path = include / "sources/payments.yaml"
    sound = path.read_text()
    try:
        path.write_text(sound.replace("{field: amount, check", "{field: turnover, check"))
        done = hourglass("validate", "payments")
    finally:
        path.write_text(sound)
    lines = sound.splitlines()
    (number,) = [n for n, line in enumerate(lines, 1) if "field: amount" in line]
    column = lines[number - 1].index("amount") + 1
    assert done.returncode == 1
    assert f"sources/payments.yaml:{number}:{column}: error: field 'turnover' is not in" in done.stdout
    assert all(name in done.stdout for name, *_ in FIELDS["payments"])


class Landed:
    """The lines of both sources as they were written."""

    def __init__(self, folder: Path, include: Path) -> None:
        self.folder = folder
        self.sources = {name: load_source(name, include) for name in ("customers", "payments")}
        self.partition = Partition(START, self.sources["payments"].grain)
        self._payments()
        self._customers()

    def _payments(self) -> None:
        rates = Rates(late=0.05, duplicates=0.05, bad=0)
        generate(self.sources["payments"], self.partition, self.folder, 300, rates, objects=2)
        for path in self._files("payments"):
            # The few customers of a shop, rather than one for each line.
            kept = [json.loads(line) for line in path.read_text().splitlines()]
            for record in kept:
                record["customer_id"] = f"c{sum(record['payment_id'].encode()) % 40}"
            path.write_text("".join(json.dumps(r) + "\n" for r in kept))
        sample = self.payments()[0]
        lines = [
            json.dumps({**{k: v for k, v in sample.items() if k in ("customer_id", "paid_at")}, **b})
            for b in BAD
        ]
        target = self._files("payments")[0].with_name("zz-bad.json")
        target.write_text("\n".join([*lines, "not json"]) + "\n")

    def _customers(self) -> None:
        # Some payments are by customers that nobody knows: a left join keeps them.
        known = sorted({p["customer_id"] for p in self.payments()})[:-3]
        path = self.folder / "customers" / "all.json"
        path.parent.mkdir(parents=True)
        rows = [
            {"customer_id": c, "segment": ("gold", "silver")[n % 2], "updated_at": "2026-01-05T06:10:00Z"}
            for n, c in enumerate(known)
        ]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def _files(self, name: str) -> list[Path]:
        return sorted((self.folder / name).rglob("*.json"))

    def payments(self) -> list[dict[str, Any]]:
        """Every generated record, in the order in which the first of equal keys wins."""
        files = [f for f in self._files("payments") if f.name != "zz-bad.json"]
        return [json.loads(x, parse_float=Decimal) for f in files for x in f.read_text().splitlines()]

    def gold(self) -> dict[tuple[str, str], tuple[Decimal, int, str | None]]:
        """Customer and date to total, count and segment, in plain Python."""
        segments = {
            r["customer_id"]: r["segment"]
            for r in map(json.loads, (self.folder / "customers/all.json").read_text().splitlines())
        }
        first: dict[str, dict[str, Any]] = {}
        for record in self.payments():
            first.setdefault(record["payment_id"], record)
        groups: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
        for record in first.values():
            day = datetime.fromisoformat(record["paid_at"]).astimezone(UTC).date()
            groups[record["customer_id"], f"{day}"].append(Decimal(record["amount"]))
        return {k: (sum(v, Decimal()), len(v), segments.get(k[0])) for k, v in groups.items()}


@pytest.fixture(scope="module")
def published(cloud: Cloud, include: Path, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """Both sources landed within the hour, compiled, and their DAGs run."""
    done = hourglass("compile")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = tmp_path_factory.mktemp("landed")
    landed = Landed(folder, include)
    for source in landed.sources.values():
        land(cloud, source, folder)
    cloud.airflow.prepare(cloud.environment())
    project = str(include / "dbt")
    parse = ["dbt", "parse", "--project-dir", project, "--profiles-dir", project]
    subprocess.run(parse, check=True, timeout=300, capture_output=True)
    results, logs = folder / "results.jsonl", folder
    runner = [sys.executable, str(ROOT / "tests/e2e/run_dags.py"), str(results), str(logs)]
    items = [f"{name}={START:%Y-%m-%dT%H:%M:%S}" for name in landed.sources]
    subprocess.run([*runner, *items], check=True, timeout=1200, cwd=ROOT)
    for line in map(json.loads, results.read_text().splitlines()):
        assert line["state"] == "success", (logs / f"{line['source']}.log").read_text()[-5000:]
    return landed


def land(cloud: Cloud, source: Source, folder: Path) -> None:
    """Without a template an object belongs to the hour in which it was created: the one of the test, long ago."""
    bucket, (prefix,) = source.prefixes(Partition(START, source.grain))
    mine = folder / source.id
    (flat := folder / f"flat-{source.id}" / prefix).mkdir(parents=True)
    for path in sorted(mine.rglob("*.json")):
        shutil.copy(path, flat / path.name)
    names = upload(cloud, bucket, folder / f"flat-{source.id}", START + timedelta(minutes=20))
    # What was created before or after the hour is none of the partition's.
    for name, moment in (("early", START - timedelta(seconds=1)), ("next", START + timedelta(hours=1))):
        other = f"{prefix}{name}.json"
        client_upload(bucket, other, names[0])
        date(cloud, bucket, other, moment)


def client_upload(bucket: str, name: str, like: str) -> None:
    """Another object with the content of one."""
    from google.cloud import storage

    where = storage.Client().bucket(bucket)
    where.blob(name).upload_from_string(where.blob(like).download_as_bytes())


@pytest.mark.cloud
def test_the_gold_table_equals_an_independent_computation(published: Landed) -> None:
    sql = "SELECT * FROM gold.payments WHERE date >= '1970-01-01'"
    rows = [dict(r.items()) for r in bigquery.Client(location="US").query(sql).result()]
    found = {
        (r["customer_id"], f"{r['date']}"): (r["total_amount"], r["transaction_count"], r["segment"])
        for r in rows
    }
    assert len(rows) == len(found) > 30
    assert found == published.gold()
    assert {segment for _, _, segment in found.values()} == {"gold", "silver", None}


@pytest.mark.cloud
def test_bad_lines_are_quarantined_with_their_reasons(published: Landed) -> None:
    sql = (
        "SELECT reason FROM quarantine.payments WHERE landing_hour = '2026-01-05 06:00:00+00' ORDER BY reason"
    )
    reasons = [r["reason"] for r in bigquery.Client(location="US").query(sql).result()]
    assert reasons == ["missing_required", "not_json", "positive_number_amount", "valid_email_email"]
