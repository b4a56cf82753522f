"""The marts of the four platforms, built at once and as things landed: the same rows."""

from __future__ import annotations

import pytest

from tests.warehouse.platforms import (
    ALIASES,
    TABLES,
    WITHOUT_TESTS,
    Built,
    checksums,
    first_halves,
    landed_on,
    landing_days,
    publish,
)

pytestmark = pytest.mark.cloud
# What the marts read and dbt keeps, besides the staging views.
_BENEATH = ("gold.customer_profiles_history", "gold.postgres_orders_changes")


def test_late_hours_in_another_order_give_the_rows_of_a_full_refresh(business: Built) -> None:
    warehouse, landed = business.warehouse, business.landed
    dated = [table for table in TABLES if _is_dated(business, table)]
    assert "gold.fct_user_journey" in dated
    assert "gold.customer_360" not in dated
    published = [f"silver.{source}" for source in landed]
    warehouse.drop(*published, *_BENEATH)
    warehouse.drop(*(ALIASES.get(table, table) for table in TABLES))

    _, *others = landing_days(landed)
    incomplete = first_halves(
        landed_on(landed, others)
    )  # the first day, and half of the others' files, are to come
    warehouse.build(publish(warehouse, incomplete), *_names(*dated, *_BENEATH[1:]), command=WITHOUT_TESTS)
    warehouse.drop(*published)  # one load of everything is faster than one by partition
    beneath = ["postgres_orders_*", "customer_profiles_history"]
    warehouse.build(publish(warehouse, landed), *_names(*TABLES), *beneath, command=WITHOUT_TESTS)
    assert checksums(warehouse) == business.checksums


def _is_dated(business: Built, table: str) -> bool:
    return business.warehouse.client.get_table(ALIASES.get(table, table)).time_partitioning is not None


def _names(*tables: str) -> list[str]:
    return [table.partition(".")[2] for table in tables]
