"""dbt's own tests: each generic test finds what is planted, and the unit tests of the models pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult

    from tests.warehouse.published import Warehouse

pytestmark = pytest.mark.cloud
DATES = "2026-01-05,2026-01-06,2026-01-07,2026-01-08"
ORDERS = """
    event_date DATE, order_id STRING, order_key INT64, ordered_at TIMESTAMP, customer_id STRING, status STRING,
    pieces INT64, total_amount NUMERIC, status_events INT64, first_landing_hour TIMESTAMP
"""
PLANTED = {
    # One order lacks its customer, one bears another day, one is there twice, and the 7th has none.
    "gold.fct_orders": (
        ORDERS,
        """('2026-01-05', 'a', 1, '2026-01-05', 'ada', 'pending', 1, 10, 1, '2026-01-05'),
           ('2026-01-06', 'b', 2, '2026-01-05', 'ada', 'pending', 1, 20, 1, '2026-01-06'),
           ('2026-01-08', 'c', 3, '2026-01-08', NULL, 'pending', 1, 30, 1, '2026-01-08'),
           ('2026-01-08', 'd', 4, '2026-01-08', 'bob', 'pending', 1, 40, 1, '2026-01-08'),
           ('2026-01-08', 'd', 4, '2026-01-08', 'bob', 'pending', 1, 0, 1, '2026-01-08')""",
    ),
    # Of order b a cent is missing, which is allowed; of c two; d has no items, and x is no order. The 8th has as many
    # rows as two usual days.
    "gold.fct_order_items": (
        "event_date DATE, order_id STRING, amount NUMERIC",
        """('2026-01-05', 'a', 4), ('2026-01-05', 'a', 6), ('2026-01-06', 'b', 10), ('2026-01-06', 'b', 9.99),
           ('2026-01-07', 'x', 1), ('2026-01-07', 'x', 1), ('2026-01-08', 'c', 10), ('2026-01-08', 'c', 10),
           ('2026-01-08', 'c', 9.97), ('2026-01-08', 'c', 0.01)""",
    ),
    # ada's first version overlaps the second; bob's is right.
    "gold.dim_users": (
        "user_id STRING, version INT64, valid_from_date DATE, valid_to_date DATE, is_current BOOL",
        """('ada', 1, '2026-01-05', '2026-01-07', FALSE), ('ada', 2, '2026-01-06', NULL, TRUE),
           ('bob', 1, '2026-01-05', NULL, TRUE)""",
    ),
    # eve is no user, and her weights are too light.
    "gold.bridge_user_interests": (
        "user_id STRING, tag STRING, weight FLOAT64",
        "('ada', 'sun', 0.5), ('ada', 'sea', 0.5), ('eve', 'sun', 0.9)",
    ),
    # A region of a country that is not there.
    "gold.dim_location": ("location_key INT64, parent_location_key INT64", "(1, NULL), (2, 1), (3, 9)"),
    # bob was not active on the 5th, and has no training row; nothing was made of the 6th.
    "intermediate.user_metrics": (
        "event_date DATE, user_id STRING",
        "('2026-01-05', 'ada'), ('2026-01-06', 'bob')",
    ),
    "intermediate.ml_features": (
        "event_date DATE, user_id STRING",
        "('2026-01-05', 'ada'), ('2026-01-05', 'bob')",
    ),
    "gold.ml_training": ("event_date DATE, user_id STRING", "('2026-01-05', 'ada')"),
    "gold.business_metrics": ("event_date DATE, events INT64", "('2026-01-05', 1)"),
    "reference.product_catalog": (
        "product_id STRING, name STRING",
        "('p', 'pen'), ('p', 'pin'), ('q', 'quill')",
    ),
    "gold.transactions": ("date DATE, total_amount NUMERIC", "('2026-01-05', 1)"),
}
FOUND = {
    "fct_orders__one_row_per_key": 1,
    "fct_orders__required_columns_not_null": 1,
    "fct_orders__date_is_that_of_ordered_at": 1,
    "fct_orders__rows_every_day": 1,
    "fct_order_items__items_add_up_to_their_order": 3,
    "fct_order_items__volume_as_usual": 1,
    "dim_users__no_gaps_or_overlaps": 1,
    "bridge_user_interests__users_are_known": 1,
    "bridge_user_interests__weights_sum_to_one": 1,
    "dim_location__parents_are_there": 1,
    "ml_features__user_was_active": 1,
    "ml_training__every_feature_row_is_here": 1,
    "business_metrics__is_fresh": 1,
    "gold_transactions__product_catalog_does_not_multiply_rows": 1,
}


@pytest.fixture(scope="module")
def tested(warehouse: Warehouse) -> dbtRunnerResult:
    """One run of the tests above on what is planted, and of all unit tests, which read no table."""
    script = ";".join(
        f"CREATE TABLE {table} AS SELECT * FROM UNNEST(ARRAY<STRUCT<{columns}>>[{rows}])"
        for table, (columns, rows) in PLANTED.items()
    )
    warehouse.client.query_and_wait(script)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOURGLASS_UNIT_TESTS", "true")
        return warehouse.dbt(DATES, "test", "--select", "test_type:unit", *FOUND)


def test_each_generic_test_finds_what_is_planted(tested: dbtRunnerResult) -> None:
    found = {r.node.name: r.failures for r in tested.result if str(r.status) in ("fail", "warn")}
    errors = {r.node.name: r.message for r in tested.result if str(r.status) == "error"}
    assert errors == {}
    assert found == FOUND


def test_the_unit_tests_pass(tested: dbtRunnerResult) -> None:
    results = [r for r in tested.result if r.node.resource_type == "unit_test"]
    assert len(results) >= 57
    assert {r.node.name: r.message for r in results if str(r.status) != "pass"} == {}
