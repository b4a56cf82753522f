-- Feature set user_features: what is known of each user at the end of a day on which they were active.
-- Parameter: @landing_hour TIMESTAMP, the day's start.
SELECT
    user_id AS entity,
    user_segment,
    user_country,
    sessions_7d,
    events_7d,
    views_7d,
    interactions_7d,
    active_days_7d,
    engagement_seconds_7d,
    interaction_rate_7d,
    days_since_previous_activity
FROM gold.user_features
WHERE event_date = DATE(@landing_hour)
ORDER BY entity
