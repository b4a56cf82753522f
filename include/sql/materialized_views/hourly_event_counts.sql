-- Events of the photo-sharing app by hour and type, whichever system sent them.
CREATE MATERIALIZED VIEW IF NOT EXISTS `{{ project }}.gold.mv_hourly_event_counts`
PARTITION BY event_date
CLUSTER BY event_type
OPTIONS (
    enable_refresh = FALSE,
    description = 'Events of the photo-sharing app by hour and type.',
    labels = [('managed_by', 'hourglass'), ('table_type', 'materialized_view'), ('platform', 'photo_sharing')]
)
AS
SELECT
    event_date,
    TIMESTAMP_TRUNC(event_at, HOUR) AS event_hour,
    event_type,
    origin,
    COUNT(*) AS events
FROM `{{ project }}.gold.fct_unified_events`
WHERE event_date >= DATE '1970-01-01'
GROUP BY event_date, event_hour, event_type, origin
