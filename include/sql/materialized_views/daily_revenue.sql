-- What the shop's orders of a day come to, by country and the state that they are in now.
CREATE MATERIALIZED VIEW IF NOT EXISTS `{{ project }}.gold.mv_daily_revenue`
PARTITION BY event_date
CLUSTER BY status
OPTIONS (
    enable_refresh = FALSE,
    description = 'Revenue and orders of the shop by day, country and state.',
    labels = [('managed_by', 'hourglass'), ('table_type', 'materialized_view'), ('platform', 'shop')]
)
AS
SELECT
    event_date,
    shipping_country,
    status,
    COUNT(*) AS orders,
    SUM(pieces) AS pieces,
    SUM(total_amount) AS revenue
FROM `{{ project }}.gold.fct_orders`
WHERE event_date >= DATE '1970-01-01'
GROUP BY event_date, shipping_country, status
