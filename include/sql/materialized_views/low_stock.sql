-- What each warehouse's movements of a product come to: below 10 is low (WHERE stock < 10, which a materialized view itself
-- may not ask). It has no dates, so that a replaced event date makes BigQuery sum the small base table anew.
CREATE MATERIALIZED VIEW IF NOT EXISTS `{{ project }}.gold.mv_low_stock`
CLUSTER BY product_id
OPTIONS (
    enable_refresh = FALSE,
    description = 'Stock of the shop by product and warehouse, from all movements; below 10 is low.',
    labels = [('managed_by', 'hourglass'), ('table_type', 'materialized_view'), ('platform', 'shop')]
)
AS
SELECT
    product_id,
    warehouse_id,
    SUM(net_change) AS stock,
    MAX(event_date) AS last_moved_on
FROM `{{ project }}.gold.fct_inventory_levels`
WHERE event_date >= DATE '1970-01-01'
GROUP BY product_id, warehouse_id
