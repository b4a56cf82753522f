{{
    config(
        tags=["daily"],
        labels={"managed_by": "hourglass", "table_type": "intermediate", "platform": "photo_sharing"},
    )
}}

-- Aggregated within the date, so that a filter on session_date reaches the table.
select
    session_date,
    session_key,
    user_id,
    min(event_at) as session_start_at,
    max(event_at) as session_end_at,
    timestamp_diff(max(event_at), min(event_at), millisecond) as duration_milliseconds,
    count(*) as events,
    countif(event_type = 'view') as views,
    countif(event_type = 'click') as clicks,
    countif(event_type = 'react') as reacts,
    countif(event_type = 'share') as shares,
    countif(event_type = 'post') as posts,
    count(distinct content_id) as contents,
    coalesce(sum(engagement_seconds), 0) as engagement_seconds,
    coalesce(sum(event_revenue), 0) as revenue,
    max(if(position = 1, event_type, null)) as first_event_type,
    max(if(next_event_type is null, event_type, null)) as last_event_type,
    max(if(position = 1, device_key, null)) as device_key,
    max(if(position = 1, location_key, null)) as location_key,
    max(event_date) > session_date as crosses_midnight
from {{ ref("int_event_sequences") }}
group by session_date, session_key, user_id
