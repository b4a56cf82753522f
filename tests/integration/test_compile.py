"""Compiled models on the local BigQuery, against results computed in plain Python."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import compiled_sources as shop
import pytest
from dbt.cli.main import dbtRunnerResult
from google.cloud import bigquery

from hourglass.compile.project import Compiler, write
from hourglass.config.loader import load_sources
from hourglass.config.source import Source
from tests.dbt_runs import Dbt

pytestmark = pytest.mark.cloud

OWN_PROJECT = "hourglass-compile"
GOLD = {"sales": "date", "hourly": "event_date", "totals": None, "detail": "event_date", "buyers": None}
Run = Callable[..., dbtRunnerResult]
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def expiration(client: bigquery.Client) -> Iterator[None]:
    """Marts keep the tests' days, which are long past."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOURGLASS_MART_EXPIRATION_DAYS", "40000")
        yield


@pytest.fixture(scope="module")
def include(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop.write_project(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="module")
def sources(include: Path) -> dict[str, Source]:
    loaded = load_sources(include)
    assert not loaded.errors, loaded.errors
    report = Compiler(include / "dbt", loaded.sources).compile(s.id for s in loaded.sources)
    assert not report.errors
    for finding in report.findings:
        write(include / "dbt", finding)
    return {source.id: source for source in loaded.sources}


@pytest.fixture(scope="module")
def dbt(include: Path, sources: dict[str, Source]) -> Run:
    """Runs a source's models for the given event dates, or with `tests` those of its tests that a DAG runs too."""
    runs = Dbt(include / "dbt" / "target", include / "dbt")

    def run(source_id: str, event_dates: str, *more: str, tests: bool = False) -> dbtRunnerResult:
        # Each command of dbt takes seconds: the gold table alone where nothing else is asked for.
        what = ["build", "--select", f"tag:{source_id}", "--indirect-selection", "buildable"]
        command = what if tests else ["run", "--select", f"gold_{source_id}"]
        return runs(event_dates, *command, *more)

    return run


@pytest.fixture
def fresh(client: bigquery.Client, sources: dict[str, Source]) -> None:
    """Empty published tables, and nothing that dbt makes."""
    for source in sources.values():
        shop.create_silver(client, source)
    for dataset in ("gold", "staging", "reporting", "ml"):
        client.delete_dataset(dataset, delete_contents=True, not_found_ok=True)


def built(result: dbtRunnerResult) -> None:
    said = "\n".join(f"{n.node.name}: {n.status} {n.message}" for n in result.result or [])
    assert result.success, said or result.exception


def rows(client: bigquery.Client, table: str, date: str | None) -> Rows:
    where = f"WHERE `{date}` >= '1970-01-01'" if date else ""
    found = [dict(row) for row in client.query_and_wait(f"SELECT * FROM {table} {where}")]
    return sorted(map(_plain, found), key=lambda row: json.dumps(row, default=str, sort_keys=True))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    shown = {k: f"{v:%Y-%m-%dT%H:%M:%SZ}" if isinstance(v, datetime) else v for k, v in row.items()}
    return {k: str(v) if type(v).__name__ == "date" else v for k, v in shown.items()}


def ordered(found: Rows) -> Rows:
    return sorted(found, key=lambda row: json.dumps(row, default=str, sort_keys=True))


def run_all(
    client: bigquery.Client, dbt: Run, source_id: str, landed: dict[str, Rows], order: list[str]
) -> None:
    for hour in order:
        dates = shop.publish(client, source_id, hour, landed[hour])
        built(dbt(source_id, dates))


def give_buyers(client: bigquery.Client, dbt: Run) -> None:
    run_all(client, dbt, "buyers", shop.buyers(), sorted(shop.buyers()))


@pytest.mark.usefixtures("fresh")
def test_an_aggregate_over_a_join_equals_plain_python_in_any_order(client: bigquery.Client, dbt: Run) -> None:
    landed, hours = shop.sales(seed=1), shop.HOURS
    expected = ordered(shop.expected_sales(shop.first_deliveries(landed), shop.regions(shop.buyers())))
    assert len({row["date"] for row in expected}) > 1
    give_buyers(client, dbt)
    assert [r["region"] for r in rows(client, "gold.buyers", None)] == [
        "south",
        "west",
        "south",
        "north",
        "south",
    ]

    run_all(client, dbt, "sales", landed, hours)
    assert rows(client, "gold.sales", "date") == expected
    run_all(client, dbt, "sales", landed, [hours[1]])
    assert rows(client, "gold.sales", "date") == expected
    client.query_and_wait("DELETE FROM gold.sales WHERE date = '2021-07-20'")
    built(dbt("sales", "2021-07-21", "--full-refresh"))
    assert rows(client, "gold.sales", "date") == expected

    client.query_and_wait("DROP TABLE gold.sales")
    for hour in hours:
        shop.publish(client, "sales", hour, [])
    run_all(client, dbt, "sales", landed, [hours[2], hours[0], hours[1]])
    assert rows(client, "gold.sales", "date") == expected

    tested = dbt("sales", "2021-07-20,2021-07-21", tests=True)
    built(tested)
    statuses = Counter(str(n.status) for n in tested.result)
    # c5 has no profile, which is worth a warning.
    assert statuses == {"success": 4, "pass": 9, "warn": 1}
    (warned,) = [n.node.name for n in tested.result if str(n.status) == "warn"]
    assert warned == "gold_sales__buyers_is_found"
    reported = rows(client, "reporting.sales", "date")
    kept = [{k: v for k, v in r.items() if k not in ("total_amount", "dearest_ios")} for r in expected]
    assert reported == ordered(kept), "what is computed from pii is not shown"
    made = client.get_table("gold.sales")
    assert (made.time_partitioning.field, made.require_partition_filter) == ("date", True)
    assert made.time_partitioning.expiration_ms == 40_000 * 86_400_000


@pytest.mark.usefixtures("fresh")
def test_hours_are_kept_by_their_date_and_totals_are_replaced_as_a_whole(
    client: bigquery.Client, dbt: Run
) -> None:
    landed = shop.sales(seed=2)
    first = shop.first_deliveries(landed)
    hours = Counter((r["event_date"], r["device"]["group"], f"{r['sold_at'][:13]}:00:00Z") for r in first)
    for source_id in ("hourly", "totals"):
        run_all(client, dbt, source_id, landed, shop.HOURS[::-1])
    found = {
        (r["event_date"], r["device_group"], r["hour"]): r["sale_count"]
        for r in rows(client, "gold.hourly", "event_date")
    }
    assert found == dict(hours)

    totals: defaultdict[str, list[Decimal]] = defaultdict(list)
    for row in first:
        totals[row["customer_id"]].append(Decimal(row["amount"]))
    expected = [{"customer_id": c, "total_amount": sum(a), "n": len(a)} for c, a in sorted(totals.items())]
    assert rows(client, "gold.totals", None) == expected
    # A row that left silver leaves the totals, and an empty partition leaves them as they are.
    shop.publish(client, "totals", shop.HOURS[0], [])
    built(dbt("totals", ""))
    assert rows(client, "gold.totals", None) == expected
    built(dbt("totals", landed[shop.HOURS[0]][0]["event_date"]))
    assert rows(client, "gold.totals", None) != expected


@pytest.mark.usefixtures("fresh")
def test_rows_without_an_aggregate_keep_their_columns_and_views_their_limits(
    client: bigquery.Client, dbt: Run
) -> None:
    landed = shop.sales(seed=3)
    for hour, profiles in shop.buyers().items():
        shop.publish(client, "buyers", hour, profiles)
    run_all(client, dbt, "detail", landed, shop.HOURS)
    built(dbt("detail", "2021-07-20,2021-07-21", tests=True))
    found = rows(client, "gold.detail", "event_date")
    first = [r for r in shop.first_deliveries(landed) if r["customer_id"] != "c5"]
    assert Counter((r["sale_id"], r["amount"]) for r in found) == Counter(
        (r["sale_id"], Decimal(r["amount"])) for r in first
    )
    assert set(found[0]) == {
        "sale_id", "customer_id", "amount", "device_os", "device_group", "items", "sold_at", "landing_hour",
        "event_date", "region", "email", "updated_at",
    }  # fmt: skip
    assert all(
        r["items"] in ([], [{"sku": "x", "gift": True}], [{"sku": "x", "gift": True}] * 2) for r in found
    )
    latest = rows(client, "ml.detail", None)
    assert {"amount", "email"} & set(latest[0]) == set()
    known = [r["sale_id"] for r in latest if r["sale_id"]]
    assert sorted(known) == sorted({r["sale_id"] for r in first} - {None})


@pytest.mark.usefixtures("fresh")
def test_a_joined_table_that_is_not_there_is_named(client: bigquery.Client, dbt: Run) -> None:
    landed = shop.sales(seed=4)
    dates = shop.publish(client, "sales", shop.HOURS[0], landed[shop.HOURS[0]])
    result = dbt("sales", dates)
    assert not result.success
    assert "gold.buyers" in "\n".join(str(n.message) for n in result.result)


@pytest.mark.usefixtures("fresh")
def test_a_join_that_multiplies_rows_is_caught(client: bigquery.Client, dbt: Run) -> None:
    landed = shop.sales(seed=5)
    give_buyers(client, dbt)
    client.query_and_wait("INSERT INTO gold.buyers SELECT * FROM gold.buyers WHERE customer_id = 'c1'")
    dates = shop.publish(client, "sales", shop.HOURS[0], landed[shop.HOURS[0]])
    failed = {n.node.name for n in dbt("sales", dates, tests=True).result if n.status == "fail"}
    assert failed == {"gold_sales__buyers_does_not_multiply_rows"}
