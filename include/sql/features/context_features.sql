-- Feature set context_features: what a user did in the events that landed in one hour, and on what; a row in Bigtable
-- holds a day of them. Parameter: @landing_hour TIMESTAMP, the hour's start.
-- It reads the hour's own rows, as github_actor.sql does and for the same reason. Where nulls are left out there is no
-- LIMIT: the local BigQuery would take the newest value first, and leave it out then.
SELECT
    user_id AS entity,
    COUNT(*) AS events,
    COUNTIF(event_type = 'view') AS views,
    COUNTIF(event_type IN ('click', 'react', 'share')) AS interactions,
    COUNT(DISTINCT session_id) AS sessions,
    CAST(COALESCE(SUM(CAST(engagement_duration AS NUMERIC)), 0) AS FLOAT64) AS engagement_seconds,
    MAX(event_timestamp) AS last_event_at,
    ARRAY_AGG(event_type ORDER BY event_timestamp DESC, event_id DESC LIMIT 1)[OFFSET(0)] AS last_event_type,
    ARRAY_AGG(device_os IGNORE NULLS ORDER BY event_timestamp DESC, event_id DESC)[SAFE_OFFSET(0)] AS device_os,
    ARRAY_AGG(location_country IGNORE NULLS ORDER BY event_timestamp DESC, event_id DESC)[SAFE_OFFSET(0)] AS country
FROM staging.stg_mobile_sdk__mobile_sdk
WHERE landing_hour = @landing_hour
GROUP BY user_id
ORDER BY entity
