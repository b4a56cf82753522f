-- A sketch of the users of each day and country, which BigQuery maintains incrementally (COUNT(DISTINCT) it could not),
-- partitioned as its base table is, so that a replaced event date costs that date only. Sketches of several days or
-- countries merge: HLL_COUNT.MERGE(users_sketch), about 1 % off. gold.daily_active_users has a day's exact numbers.
CREATE MATERIALIZED VIEW IF NOT EXISTS `{{ project }}.gold.mv_daily_active_users`
PARTITION BY event_date
CLUSTER BY user_country
OPTIONS (
    enable_refresh = FALSE,
    description = 'HLL++ sketch of photo-sharing users by day and country.',
    labels = [('managed_by', 'hourglass'), ('table_type', 'materialized_view'), ('platform', 'photo_sharing')]
)
AS
SELECT
    event_date,
    user_country,
    COUNT(*) AS events,
    HLL_COUNT.INIT(user_id) AS users_sketch
FROM `{{ project }}.gold.fct_user_engagement`
WHERE event_date >= DATE '1970-01-01'
GROUP BY event_date, user_country
