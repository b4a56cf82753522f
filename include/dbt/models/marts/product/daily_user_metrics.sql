{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id"],
        labels={"managed_by": "hourglass", "table_type": "mart", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}

with events as (
    select
        event_date,
        user_id,
        count(*) as events,
        countif(event_type = 'view') as views,
        countif(event_type = 'click') as clicks,
        countif(event_type = 'react') as reacts,
        countif(event_type = 'share') as shares,
        countif(event_type = 'post') as posts,
        count(distinct content_id) as contents,
        coalesce(sum(interaction_count), 0) as interactions,
        coalesce(sum(engagement_seconds), 0) as engagement_seconds,
        coalesce(sum(event_revenue), 0) as revenue,
        array_agg(user_segment order by event_at desc, event_id desc limit 1)[offset(0)] as user_segment,
        array_agg(user_country order by event_at desc, event_id desc limit 1)[offset(0)] as user_country,
        min(event_at) as first_event_at,
        max(event_at) as last_event_at
    from {{ ref("fct_user_engagement") }}
    where {{ event_dates_predicate(event_dates) }}
    group by event_date, user_id
),

sessions as (
    select
        event_date,
        user_id,
        count(*) as sessions,
        sum(duration_milliseconds) as session_milliseconds
    from {{ ref("fct_user_sessions") }}
    where {{ event_dates_predicate(event_dates) }}
    group by event_date, user_id
)

select
    {{ surrogate_key(["events.event_date", "events.user_id"]) }} as user_day_key,
    events.event_date,
    events.user_id,
    events.user_segment,
    events.user_country,
    events.events,
    events.views,
    events.clicks,
    events.reacts,
    events.shares,
    events.posts,
    events.contents,
    events.interactions,
    events.engagement_seconds,
    events.revenue,
    coalesce(sessions.sessions, 0) as sessions,
    coalesce(sessions.session_milliseconds, 0) as session_milliseconds,
    events.first_event_at,
    events.last_event_at
from events
left join sessions on events.event_date = sessions.event_date and events.user_id = sessions.user_id
