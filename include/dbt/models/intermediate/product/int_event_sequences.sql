{{
    config(
        tags=["daily"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        partition_by={"field": "session_date", "data_type": "date", "granularity": "day"},
        require_partition_filter=true,
        partition_expiration_days=400,
        cluster_by=["user_id"],
        labels={"managed_by": "hourglass", "table_type": "intermediate", "platform": "photo_sharing"},
    )
}}

{%- set session_dates = recomputed_dates() %}

with events as (
    select *
    from {{ ref("fct_user_engagement") }}
    where {{ event_dates_predicate(event_dates_around(session_dates, before=1, after=1)) }}
),

timed as (
    select
        *,
        lag(event_at) over (partition by user_id order by event_at, event_id) as previous_at
    from events
),

-- A chain is a user's events without a pause of more than 30 minutes.
chained as (
    select
        *,
        countif(previous_at is null or timestamp_diff(event_at, previous_at, microsecond) > 30 * 60 * 1000000) over (
            partition by user_id order by event_at, event_id
            rows between unbounded preceding and current row
        ) as chain_number
    from timed
),

started as (
    select
        *,
        min(event_at) over (partition by user_id, chain_number) as chain_start_at
    from chained
),

-- A session that runs over midnight is followed for two hours; what goes on at 02:00 is a session of the new day. So
-- the sessions of a date need no events but those of the date and of the days beside it.
dated as (
    select
        *,
        greatest(date(timestamp_sub(event_at, interval 2 hour)), date(chain_start_at)) as session_date
    from started
),

sessions as (
    select
        *,
        min(event_at) over (partition by user_id, chain_number, session_date) as session_start_at
    from dated
    where {{ event_dates_predicate(session_dates, "session_date") }}
)

select
    session_date,
    {{ surrogate_key(["user_id", "unix_micros(session_start_at)"]) }} as session_key,
    user_id,
    event_id,
    event_date,
    event_at,
    event_type,
    content_id,
    device_key,
    location_key,
    engagement_seconds,
    event_revenue,
    session_start_at,
    row_number() over event_order as position,
    lag(event_type) over event_order as previous_event_type,
    lead(event_type) over event_order as next_event_type,
    timestamp_diff(event_at, lag(event_at) over event_order, millisecond) as milliseconds_since_previous
from sessions
window event_order as (partition by user_id, session_start_at order by event_at, event_id)
