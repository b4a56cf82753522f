"""The daily DAG's materialized views: what they say, and that only a change of their base has them refreshed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.cloud import bigquery

from hourglass.config.warehouse import load_warehouse
from hourglass.operators.refresh_view import is_fresh

if TYPE_CHECKING:
    from tests.warehouse.published import Warehouse

pytestmark = pytest.mark.cloud
INCLUDE = Path(__file__).resolve().parents[2] / "include"
VIEWS = load_warehouse(INCLUDE).materialized_views
BASES = """
CREATE TABLE gold.fct_user_engagement PARTITION BY event_date OPTIONS (require_partition_filter = TRUE) AS
SELECT DATE '2026-01-05' AS event_date, IF(MOD(n, 3) = 0, 'DE', 'US') AS user_country, MOD(n, 777) || '' AS user_id
FROM UNNEST(GENERATE_ARRAY(1, 3000)) AS n;
CREATE TABLE gold.fct_unified_events PARTITION BY event_date OPTIONS (require_partition_filter = TRUE) AS
SELECT DATE '2026-01-05' AS event_date, TIMESTAMP '2026-01-05 06:59:59+00' AS event_at, 'view' AS event_type,
    'sdk' AS origin
FROM UNNEST(GENERATE_ARRAY(1, 7)) AS n;
CREATE TABLE gold.fct_orders PARTITION BY event_date OPTIONS (require_partition_filter = TRUE) AS
SELECT DATE '2026-01-05' AS event_date, 'DE' AS shipping_country, 'shipped' AS status, n AS pieces,
    NUMERIC '1.10' * n AS total_amount
FROM UNNEST([1, 2]) AS n;
CREATE TABLE gold.fct_inventory_levels PARTITION BY event_date OPTIONS (require_partition_filter = TRUE) AS
SELECT DATE_ADD(DATE '2026-01-05', INTERVAL n DAY) AS event_date, 'p' AS product_id, 'w' AS warehouse_id,
    5 - 4 * n AS net_change
FROM UNNEST([0, 1]) AS n;
"""
ANSWERS = {
    "daily_active_users": (
        "SELECT user_country, HLL_COUNT.MERGE(users_sketch), SUM(events) FROM {} GROUP BY user_country ORDER BY 1",
        [("DE", 259, 1000), ("US", 518, 2000)],
    ),
    "hourly_event_counts": ("SELECT CAST(event_hour AS STRING), events FROM {}", [("2026-01-05 06:00:00+00", 7)]),
    "daily_revenue": ("SELECT orders, pieces, CAST(revenue AS FLOAT64) FROM {}", [(2, 3, 3.3)]),
    "low_stock": ("SELECT product_id, stock, CAST(last_moved_on AS STRING) FROM {}", [("p", 6, "2026-01-06")]),
}  # fmt: skip


@pytest.fixture(scope="module")
def client(warehouse: Warehouse) -> bigquery.Client:
    client = warehouse.client
    client.query_and_wait(BASES)
    for view in VIEWS:
        refresh(client, view)
    return client


def refresh(client: bigquery.Client, view: str) -> None:
    create = (INCLUDE / f"sql/materialized_views/{view}.sql").read_text("utf-8")
    create = create.replace("{{ project }}", client.project)
    client.query_and_wait(f"{create};\nCALL BQ.REFRESH_MATERIALIZED_VIEW('{client.project}.gold.mv_{view}')")


def test_each_view_has_an_answer_to_check() -> None:
    assert set(VIEWS) == set(ANSWERS)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_says_what_its_base_has(client: bigquery.Client, view: str) -> None:
    sql, expected = ANSWERS[view]
    found = client.query_and_wait(sql.format(f"gold.mv_{view}"))
    assert [tuple(row.values()) for row in found] == expected


def test_a_view_is_refreshed_only_after_its_base_changed(client: bigquery.Client) -> None:
    def fresh() -> bool:
        names: Any = (f"{client.project}.gold.mv_low_stock", [f"{client.project}.gold.fct_inventory_levels"])
        return is_fresh(client, *names)

    assert fresh()
    client.query_and_wait("INSERT INTO gold.fct_inventory_levels VALUES (DATE '2026-01-07', 'p', 'w', 9)")
    assert not fresh()
    refresh(client, "low_stock")
    assert fresh()
    assert not is_fresh(client, f"{client.project}.gold.mv_not_there", [])
