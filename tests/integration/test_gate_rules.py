"""Set-level rules and the usual number of rows, as expectations on a candidate in the local BigQuery."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException
from google.cloud import bigquery

from hourglass.cloud import bigquery as bq
from hourglass.cloud.quarantine import Quarantine
from hourglass.cloud.quarantine_actions import Actions
from hourglass.config import Platform
from hourglass.config.loader import load_source
from hourglass.config.source import Source
from hourglass.ledger import LedgerRow
from hourglass.ledger.store import append
from hourglass.operators.derived import derived_expectations
from hourglass.operators.expectations import validate, warned_rows
from hourglass.partition import Grain, Partition

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
ROOT = Path(__file__).resolve().parents[2]
HOUR = Partition.parse("2021-08-30T06", Grain.HOUR)
RULES = [
    {"field": "id", "check": "unique"},
    {"fields": ["type", "actor.login"], "check": "unique", "name": "one_of_each", "severity": "warning"},
    {"field": "actor.login", "check": "referential", "table": "gold.known_accounts", "column": "account"},
]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    include = tmp_path / "include"
    shutil.copytree(ROOT / "include", include, ignore=shutil.ignore_patterns("target", "samples", "logs"))
    file = include / "sources" / "github.yaml"
    document = yaml.safe_load(file.read_text())
    document["processing"]["bronze_to_silver"][1]["data_quality"]["rules"] += RULES
    document["monitoring"]["volume_tolerance"] = 0.2
    file.write_text(yaml.safe_dump(document))
    (include / "dbt" / "seeds").mkdir(exist_ok=True)
    (include / "dbt" / "seeds" / "known_accounts.csv").write_text("account\n")
    return load_source("github", include)


@pytest.fixture
def platform() -> Platform:
    return Platform.from_env()


@pytest.fixture
def client(platform: Platform) -> bigquery.Client:
    return bigquery.Client(project=platform.project, location=platform.location)


def candidate(
    client: bigquery.Client, platform: Platform, source: Source, rows: list[tuple[str, str, str]]
) -> bq.TableName:
    """A candidate table with some rows (id, type, login)."""
    flow = bq.flows(source)["silver"]
    bq.create_candidate(client, platform, source, flow, HOUR)
    name = flow.candidate(platform, source, HOUR)
    actor = next(c for c in source.columns() if c["name"] == "actor")
    given = {"id": "1", "login": "login"}
    record = ", ".join(
        f"CAST({given.get(f['name'], 'NULL')} AS {f['type']}) AS {f['name']}" for f in actor["fields"]
    )
    selected = " UNION ALL ".join(
        f"SELECT '{i}' AS id, '{t}' AS type, '{who}' AS login" for i, t, who in rows
    )
    client.query_and_wait(
        f"INSERT INTO `{name}` (id, type, actor, landing_hour) "
        f"SELECT id, type, STRUCT({record}), TIMESTAMP '{HOUR.start.isoformat()}' FROM ({selected})"
    )
    return name


def test_unique_and_referential_rules_find_the_rows_that_break_them(
    client: bigquery.Client, platform: Platform, source: Source
) -> None:
    bq.ensure_dataset(client, platform, "gold")
    client.query_and_wait(
        "CREATE OR REPLACE TABLE gold.known_accounts (account STRING, since DATE) PARTITION BY since "
        "OPTIONS (require_partition_filter = TRUE)"
    )
    client.query_and_wait(
        "INSERT INTO gold.known_accounts VALUES ('ann', DATE '2020-01-01'), ('bob', DATE '2021-01-01')"
    )
    good = candidate(client, platform, source, [("1", "A", "ann"), ("2", "B", "ann"), ("3", "A", "bob")])
    entries = derived_expectations(client, platform, source, HOUR)
    assert [e["severity"] for e in entries] == ["critical", "warning", "critical"]
    assert validate("github", entries, good) == (3, [])

    bad = candidate(
        client, platform, source, [("1", "A", "ann"), ("1", "B", "bob"), ("2", "A", "ann"), ("4", "C", "eve")]
    )
    _, findings = validate("github", entries, bad)
    assert [f.severity for f in findings] == ["critical", "warning", "critical"]
    assert ["rule unique_id" in str(findings[0]), "one_of_each" in str(findings[1])] == [True, True]
    assert "eve" in str(findings[2])


def test_a_table_that_is_not_there_is_a_message_that_says_what_to_run(
    client: bigquery.Client, platform: Platform, source: Source
) -> None:
    client.query_and_wait("DROP TABLE IF EXISTS gold.known_accounts")
    with pytest.raises(AirflowFailException, match=r"gold\.known_accounts, which does not exist") as failure:
        derived_expectations(client, platform, source, HOUR)
    assert "referred-table-missing" in str(failure.value)


def test_too_many_quarantined_lines_stop_the_partition_and_are_named(
    client: bigquery.Client, platform: Platform, source: Source
) -> None:
    flow = bq.flows(source)["quarantine"]
    bq.create_candidate(client, platform, source, flow, HOUR)
    name = flow.candidate(platform, source, HOUR)
    rows = ", ".join(
        f"('{reason}', '{field}', b'{{bad {n}', 'gs://b/o', {n}, TIMESTAMP '{HOUR.start.isoformat()}')"
        for n, (reason, field) in enumerate([("wrong_type", "actor.id")] * 3 + [("not_json", "")])
    )
    columns = "reason, field, raw_line, source_object, source_line, landing_hour"
    client.query_and_wait(f"INSERT INTO `{name}` ({columns}) VALUES {rows}")
    actions = Actions(client, platform, source, HOUR)
    actions.ensure()
    found = Quarantine(actions, str(name), []).open_reasons()
    assert [(r.reason, r.field, r.rows, r.place) for r in found] == [
        ("wrong_type", "actor.id", 3, "gs://b/o:0"),
        ("not_json", "", 1, "gs://b/o:3"),
    ]
    assert found[1].example == "{bad 3"


def test_the_usual_number_of_rows_is_learnt_from_the_ledger(
    client: bigquery.Client, platform: Platform, source: Source
) -> None:
    bq.ensure_dataset(client, platform, "gold")
    client.query_and_wait("CREATE TABLE IF NOT EXISTS gold.known_accounts (account STRING, since DATE)")
    for week, rows in ((1, 3), (2, 4), (3, 3)):
        start = HOUR.start - timedelta(days=7 * week)
        append(client, platform, ledger_row(Partition(start, Grain.HOUR), rows))
    entries = derived_expectations(client, platform, source, HOUR)
    volume = entries[-1]
    assert (volume["min_value"], volume["max_value"], volume["severity"]) == (2, 4, "warning")
    name = candidate(client, platform, source, [(str(n), "A", "ann") for n in range(9)])
    (finding,) = validate("github", [volume], name)[1]
    assert finding.severity == "warning"
    assert "observed_value=9" in finding.detail


def ledger_row(partition: Partition, rows: int) -> LedgerRow:
    return LedgerRow(
        source="github", partition=partition.key, landing_hour=partition.start, grain="hour",
        state="published", run_id=f"volume-{partition.key}", attempt=1, recorded_at=datetime.now(tz=UTC),
        published_rows=rows,
    )  # fmt: skip


def test_what_refine_let_through_is_a_finding() -> None:
    refined: dict[str, Any] = {"warnings": {"between_price": 3}, "nulled": {"age": 2}}
    assert [str(f) for f in warned_rows(refined)] == [
        "[warning] rule between_price: 3 rows break it and were kept",
        "[warning] field age: 2 values do not fit the schema and became NULL",
    ]
