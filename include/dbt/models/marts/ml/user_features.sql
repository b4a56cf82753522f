{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id"],
        labels={"managed_by": "hourglass", "table_type": "feature", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}

-- What is known of a user at the end of a day on which they were active, from the seven days until then.
with days as (
    select *
    from {{ ref("daily_user_metrics") }}
    where {{ event_dates_predicate(event_dates_around(event_dates, before=6)) }}
),

active as (
    select *
    from days
    where {{ event_dates_predicate(event_dates) }}
),

trailing as (
    select
        active.event_date,
        active.user_id,
        sum(days.events) as events_7d,
        sum(days.views) as views_7d,
        sum(days.reacts + days.shares + days.clicks) as interactions_7d,
        sum(days.posts) as posts_7d,
        sum(days.sessions) as sessions_7d,
        sum(days.session_milliseconds) as session_milliseconds_7d,
        sum(days.engagement_seconds) as engagement_seconds_7d,
        sum(days.revenue) as revenue_7d,
        count(*) as active_days_7d,
        max(if(days.event_date < active.event_date, days.event_date, null)) as previous_active_date
    from active
    inner join days
        on
            active.user_id = days.user_id
            and days.event_date between date_sub(active.event_date, interval 6 day) and active.event_date
    group by active.event_date, active.user_id
)

select
    active.user_day_key as feature_key,
    active.event_date,
    active.user_id,
    timestamp(date_add(active.event_date, interval 1 day)) as available_at,
    active.user_segment,
    active.user_country,
    active.events as events_1d,
    active.sessions as sessions_1d,
    trailing.events_7d,
    trailing.views_7d,
    trailing.interactions_7d,
    trailing.posts_7d,
    trailing.sessions_7d,
    trailing.active_days_7d,
    trailing.engagement_seconds_7d,
    trailing.revenue_7d,
    safe_divide(trailing.interactions_7d, trailing.views_7d) as interaction_rate_7d,
    safe_divide(trailing.session_milliseconds_7d, 1000 * trailing.sessions_7d) as mean_session_seconds_7d,
    date_diff(active.event_date, trailing.previous_active_date, day) as days_since_previous_activity
from active
inner join trailing on active.event_date = trailing.event_date and active.user_id = trailing.user_id
