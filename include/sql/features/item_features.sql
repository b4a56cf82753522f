-- Feature set item_features: what is known of each photo at the end of a day on which somebody engaged with it.
-- Parameter: @landing_hour TIMESTAMP, the day's start.
SELECT
    content_id AS entity,
    views_1d,
    users_1d,
    views_7d,
    users_7d,
    interactions_7d,
    shares_7d,
    interaction_rate_7d
FROM gold.recommendation_features
WHERE event_date = DATE(@landing_hour)
ORDER BY entity
