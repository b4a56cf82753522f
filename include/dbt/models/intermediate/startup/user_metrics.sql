{{
    config(
        tags=["daily"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        require_partition_filter=true,
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id"],
        labels={"managed_by": "hourglass", "table_type": "curated", "source": "startup"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with activity as (
    select
        event_date,
        user_id,
        count(*) as `events`,
        countif(event_type = 'page_view') as page_views,
        countif(event_type = 'click') as clicks,
        countif(event_type = 'search') as searches,
        countif(event_type = 'add_to_cart') as cart_additions,
        countif(event_type = 'purchase') as purchases,
        countif(event_type = 'error') as errors,
        cast(sum(if(event_type = 'purchase' and currency = 'USD', amount, 0)) as numeric) as revenue_usd,
        min(event_at) as first_event_at,
        max(event_at) as last_event_at
    from {{ ref("events_clean") }}
    where {{ event_dates_predicate(event_dates) }}
    group by event_date, user_id
),

visits as (
    select
        event_date,
        user_id,
        count(*) as `sessions`,
        -- As numbers with decimals: a sum of floating point numbers depends on the order of its rows.
        cast(sum(cast(duration_seconds as numeric)) as float64) as session_seconds
    from {{ ref("sessions_clean") }}
    where {{ event_dates_predicate(event_dates) }}
    group by event_date, user_id
)

-- Events may be kept back by a blocker, and servers act without a session: a user of a date has one, the other or both.
select
    coalesce(activity.event_date, visits.event_date) as event_date,
    coalesce(activity.user_id, visits.user_id) as user_id,
    coalesce(activity.events, 0) as `events`,
    coalesce(activity.page_views, 0) as page_views,
    coalesce(activity.clicks, 0) as clicks,
    coalesce(activity.searches, 0) as searches,
    coalesce(activity.cart_additions, 0) as cart_additions,
    coalesce(activity.purchases, 0) as purchases,
    coalesce(activity.errors, 0) as errors,
    coalesce(activity.revenue_usd, 0) as revenue_usd,
    coalesce(visits.sessions, 0) as `sessions`,
    coalesce(visits.session_seconds, 0) as session_seconds,
    activity.first_event_at,
    activity.last_event_at
from activity
full outer join visits
    on
        activity.event_date = visits.event_date
        and activity.user_id = visits.user_id
