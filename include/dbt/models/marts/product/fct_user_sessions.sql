{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id"],
        labels={"managed_by": "hourglass", "table_type": "mart", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}

-- depends_on: {{ ref("dim_device") }} {{ ref("dim_location") }}
-- (Its tests look keys up there.)
select
    session_key,
    session_date as event_date,
    user_id,
    session_start_at,
    session_end_at,
    duration_milliseconds,
    events,
    views,
    clicks,
    reacts,
    shares,
    posts,
    contents,
    engagement_seconds,
    revenue,
    first_event_type,
    last_event_type,
    device_key,
    location_key,
    crosses_midnight
from {{ ref("int_user_sessions") }}
where {{ event_dates_predicate(event_dates, "session_date") }}
