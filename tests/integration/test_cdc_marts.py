"""Current state and history of a database's tables on the local BigQuery, against a database played in Python."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import cdc_changes as cdc
import pytest
from dbt.cli.main import dbtRunnerResult
from google.cloud import bigquery

from tests.dbt_runs import Dbt, messages

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("client")]

OWN_PROJECT = "hourglass-cdc"
MODELS = [f"postgres_orders_{name}{kind}" for name in cdc.TABLES for kind in ("", "_history")]
HOURS = 3
Run = Callable[..., dbtRunnerResult]


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs one dbt command on the source's models for the given rows' event dates."""
    runs = Dbt(tmp_path_factory.mktemp("dbt"))

    def run(rows: list[cdc.Row], *command: str) -> dbtRunnerResult:
        dates = ",".join(sorted({row["event_date"] for row in rows}))
        return runs(dates, *(command or ("run",)), "--select", "tag:postgres_orders")

    return run


@pytest.fixture
def fresh(client: bigquery.Client) -> None:
    cdc.create_table(client)
    for table in (*MODELS, "postgres_orders_changes"):
        client.delete_table(f"gold.{table}", not_found_ok=True)


def rows(client: bigquery.Client, table: str) -> list[dict[str, Any]]:
    return ordered(dict(row) for row in client.query_and_wait(f"SELECT * FROM gold.{table}"))


def ordered(found: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in a fixed order, without the columns that are null."""
    kept = [{name: value for name, value in row.items() if value is not None} for row in found]
    return sorted(kept, key=lambda row: sorted((name, str(value)) for name, value in row.items()))


def played(seed: int, transactions: int = 70) -> tuple[cdc.Database, dict[datetime, list[cdc.Row]]]:
    """A database's states, and the hours in which its changes land."""
    draw = random.Random(seed)
    database = cdc.Database(draw)
    database.backfill(3)
    database.play(transactions)
    return database, cdc.delivered(draw, database.log, HOURS)


def expected(database: cdc.Database) -> dict[str, list[dict[str, Any]]]:
    found = {f"postgres_orders_{name}": ordered(cdc.current(database, name)) for name in cdc.TABLES}
    return found | {f"postgres_orders_{n}_history": ordered(cdc.history(database, n)) for n in cdc.TABLES}


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("seed", [1, 2])
def test_any_order_of_hours_re_runs_and_late_files_gives_the_database_and_its_past(
    client: bigquery.Client, dbt: Run, seed: int
) -> None:
    database, landed = played(seed)
    draw = random.Random(seed)
    order = draw.sample(list(landed), HOURS)
    late = order[0]
    for hour in order:
        present = landed[hour][: len(landed[hour]) // 2] if hour == late else landed[hour]
        cdc.publish(client, hour, present)
        assert dbt(present).success
    cdc.publish(client, late, landed[late])  # the rest of its files has come
    built = dbt(landed[late], "build")
    assert built.success, messages(built)

    wanted = expected(database)
    assert {model: rows(client, model) for model in MODELS} == wanted
    versions = [row for model in MODELS if model.endswith("_history") for row in wanted[model]]
    assert any(row.get("closed_by") == "DELETE" for row in versions)
    assert any(row["opened_by"] == "INSERT" and row["version"] > 1 for row in versions)

    assert dbt([], "run", "--full-refresh").success
    assert {model: rows(client, model) for model in MODELS} == wanted


@pytest.mark.usefixtures("fresh")
def test_a_change_that_left_silver_leaves_the_tables(client: bigquery.Client, dbt: Run) -> None:
    """A corrected file replaces the hour: what it no longer has never happened."""
    database, landed = played(7, transactions=20)
    everything = cdc.in_one_hour(landed)
    cdc.publish(client, cdc.START, everything)
    assert dbt(everything).success
    assert {model: rows(client, model) for model in MODELS} == expected(database)

    cdc.publish(client, cdc.START, [])
    assert dbt(everything).success
    assert {model: rows(client, model) for model in MODELS} == {model: [] for model in MODELS}


@pytest.mark.usefixtures("fresh")
def test_broken_histories_are_caught(client: bigquery.Client, dbt: Run) -> None:
    _, landed = played(1)
    everything = cdc.in_one_hour(landed)
    cdc.publish(client, cdc.START, everything)
    assert dbt(everything, "build").success
    client.query_and_wait(
        "UPDATE gold.postgres_orders_orders_history SET valid_to = NULL, is_current = TRUE WHERE version = 1"
    )
    client.query_and_wait(
        "UPDATE gold.postgres_orders_customers_history "
        "SET valid_to = TIMESTAMP_ADD(valid_to, INTERVAL 1 SECOND) WHERE valid_to IS NOT NULL"
    )
    tested = dbt(everything, "test")
    failed = {node.node.name for node in tested.result if node.status == "fail"}
    assert "postgres_orders_orders_history__one_current_version" in failed
    assert "postgres_orders_customers_history__no_gaps_or_overlaps" in failed
