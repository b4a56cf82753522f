"""The marts of the four platforms, built at once and as things landed: the same rows."""

from __future__ import annotations

import os

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
_ALL_BENEATH = ("postgres_orders_*", "customer_profiles_history")


def test_late_hours_in_another_order_give_the_rows_of_a_full_refresh(business: Built) -> None:
    warehouse, landed = business.warehouse, business.landed
    dated = [table for table in TABLES if _is_dated(business, table)]
    assert "gold.fct_user_journey" in dated
    assert "gold.customer_360" not in dated
    published = _empty(business)

    _, *others = landing_days(landed)
    incomplete = first_halves(
        landed_on(landed, others)
    )  # the first day, and half of the others' files, are to come
    warehouse.build(publish(warehouse, incomplete), *_names(*dated, *_BENEATH[1:]), command=WITHOUT_TESTS)
    warehouse.drop(*published)  # one load of everything is faster than one by partition
    warehouse.build(publish(warehouse, landed), *_names(*TABLES), *_ALL_BENEATH, command=WITHOUT_TESTS)
    assert checksums(warehouse) == business.checksums


@pytest.mark.skipif(os.environ.get("HOURGLASS_TEST_ORDERS") != "all", reason="make test-orders: minutes more")
def test_day_after_day_gives_the_rows_of_a_full_refresh(business: Built) -> None:
    warehouse, landed = business.warehouse, business.landed
    _empty(business)
    for day in landing_days(landed):
        dates = publish(warehouse, landed_on(landed, [day]))
        warehouse.build(dates, *_names(*TABLES), *_ALL_BENEATH, command=WITHOUT_TESTS)
    assert checksums(warehouse) == business.checksums


def _empty(business: Built) -> list[str]:
    """Remove what was published and built; the names of the published tables."""
    published = [f"silver.{source}" for source in business.landed]
    business.warehouse.drop(*published, *_BENEATH)
    business.warehouse.drop(*(ALIASES.get(table, table) for table in TABLES))
    return published


def _is_dated(business: Built, table: str) -> bool:
    return business.warehouse.client.get_table(ALIASES.get(table, table)).time_partitioning is not None


def _names(*tables: str) -> list[str]:
    return [table.partition(".")[2] for table in tables]
