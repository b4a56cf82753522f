-- Events, and a sketch of their actors, by event date, landing hour and type. Hourglass refreshes the view
-- after each partition (enable_refresh is off), and BigQuery refreshes it incrementally: one table, functions
-- it can maintain (COUNT(DISTINCT) is not one, HLL_COUNT.INIT is), and partitions by the base table's own column and
-- granularity, so that a replaced event date costs that date only. The WHERE keeps every row: it is
-- the partition filter that the base table requires. No max_staleness: a query always agrees with the table.
-- Read the number of actors with HLL_COUNT.MERGE(actors_sketch), about 1 % off.
CREATE MATERIALIZED VIEW IF NOT EXISTS `{{ project }}.gold.mv_github_hourly_events`
PARTITION BY event_date
CLUSTER BY event_type
OPTIONS (
    enable_refresh = FALSE,
    description = 'GitHub events by event date, landing hour and type, with an HLL++ sketch of their actors.',
    labels = [('managed_by', 'hourglass'), ('table_type', 'materialized_view'), ('source', 'github')]
)
AS
SELECT
    event_date,
    landing_hour,
    event_type,
    COUNT(*) AS events,
    HLL_COUNT.INIT(actor_id) AS actors_sketch
FROM `{{ project }}.gold.fct_github_events`
WHERE event_date >= DATE '1970-01-01'
GROUP BY event_date, landing_hour, event_type
