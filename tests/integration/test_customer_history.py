"""The catalog's seed and the customers' history (SCD type 2) on the local BigQuery."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from google.cloud import bigquery

from hourglass.config import load_source
from hourglass.generate import pools
from hourglass.generate.sources import customer_profiles
from tests.dbt_runs import Dbt, messages

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("client")]

OWN_PROJECT = "hourglass-history"
CUSTOMERS = 60
FIRST, LAST = date(2026, 1, 5), date(2026, 4, 5)  # far enough apart that some profiles change in between
Run = Callable[..., None]


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs one dbt command for some event dates, and fails when it fails."""
    runs = Dbt(tmp_path_factory.mktemp("dbt"))

    def run(event_dates: str, *command: str) -> None:
        done = runs(event_dates, *command)
        assert done.success, messages(done)

    return run


@pytest.fixture
def silver(client: bigquery.Client) -> bigquery.Client:
    """An empty silver.customer_profiles as the gate makes it, and no history."""
    for dataset in ("silver", "staging", "gold", "reference"):
        client.create_dataset(dataset, exists_ok=True)
    for table in ("silver.customer_profiles", "gold.customer_profiles_history"):
        client.delete_table(table, not_found_ok=True)
    name = f"{client.project}.silver.customer_profiles"
    table = bigquery.Table(
        name, [*map(bigquery.SchemaField.from_api_repr, load_source("customer_profiles").columns())]
    )
    table.time_partitioning = bigquery.TimePartitioning("DAY", "landing_hour")
    table.require_partition_filter = True
    client.create_table(table)
    return client


def publish(client: bigquery.Client, day: date) -> list[dict[str, Any]]:
    """One day of profiles in silver, as the publish stage leaves it."""
    profiles = [customer_profiles.profile(n, day) for n in range(CUSTOMERS)]
    rows = [
        {
            **{k: v for k, v in profile.items() if k not in ("date_of_birth", "phone")},
            "exported_at": f"{day}T12:00:00Z",
            "landing_hour": f"{day}T00:00:00Z",
            "event_date": f"{day}",
            "source_object": "gs://hourglass-raw/customer_profiles/a.json",
            "source_line": line,
        }
        for line, profile in enumerate(profiles, start=1)
    ]
    table = client.get_table("silver.customer_profiles")
    config = bigquery.LoadJobConfig(schema=table.schema, write_disposition="WRITE_TRUNCATE")
    client.load_table_from_json(rows, f"silver.customer_profiles${day:%Y%m%d}", job_config=config).result()
    return profiles


def history(client: bigquery.Client) -> list[dict[str, Any]]:
    query = "SELECT * EXCEPT (dbt_scd_id) FROM gold.customer_profiles_history ORDER BY customer_id, dbt_valid_from"
    return [dict(row) for row in client.query_and_wait(query)]


def test_a_changed_profile_becomes_a_version_without_pii_and_a_repeated_day_adds_nothing(
    silver: bigquery.Client, dbt: Run
) -> None:
    before = publish(silver, FIRST)
    dbt(f"{FIRST}", "build", "--select", "tag:customer_profiles")
    assert len(history(silver)) == CUSTOMERS

    after = publish(silver, LAST)
    changed = {
        new["customer_id"]
        for old, new in zip(before, after, strict=True)
        if old["updated_at"] != new["updated_at"]
    }
    assert 0 < len(changed) < CUSTOMERS
    dbt(f"{LAST}", "build", "--select", "tag:customer_profiles")
    twice = history(silver)
    assert len(twice) == CUSTOMERS + len(changed)
    current = {row["customer_id"]: row for row in twice if row["dbt_valid_to"] is None}
    assert {c: row["segment"] for c, row in current.items()} == {
        p["customer_id"]: p["segment"] for p in after
    }
    ended = [row for row in twice if row["dbt_valid_to"] is not None]
    assert {row["customer_id"] for row in ended} == changed
    assert all(row["dbt_valid_to"] == current[row["customer_id"]]["dbt_valid_from"] for row in ended)

    for day in (LAST, FIRST):
        dbt(f"{day}", "build", "--select", "tag:customer_profiles")
        assert history(silver) == twice

    paths = load_source("customer_profiles").schema.paths()
    hidden = {path.replace(".", "_") for path, field in paths.items() if field.classification == "pii"}
    assert hidden
    assert not twice[0].keys() & hidden


def test_the_seed_is_loaded_with_its_types(silver: bigquery.Client, dbt: Run) -> None:
    dbt("", "seed", "--select", "product_catalog")
    dbt("", "seed", "--select", "product_catalog")
    rows = [
        dict(row)
        for row in silver.query_and_wait("SELECT * FROM reference.product_catalog ORDER BY product_id")
    ]
    assert len(rows) == pools.PRODUCTS
    product = pools.product(7)
    assert rows[7] == {
        "product_id": product.id,
        "product_name": product.name,
        "category": product.category,
        "brand": product.brand,
        "list_price": product.price,
        "is_active": product.is_active,
        "released_on": product.released_on,
    }
