{{
    config(
        tags=["daily"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        require_partition_filter=true,
        partition_expiration_days=none,
        cluster_by=["content_id"],
        labels={"managed_by": "hourglass", "table_type": "intermediate", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}

with events as (
    select *
    from {{ ref("fct_user_engagement") }}
    where
        {{ event_dates_predicate(event_dates) }}
        and content_id is not null
),

posts as (
    select
        event_date,
        content_id,
        user_id as creator_id,
        post_text as content_text,
        event_at as posted_at
    from events
    where event_type = 'post'
    qualify row_number() over (partition by event_date, content_id order by event_at desc, event_id desc) = 1
),

first_posts as (
    select
        event_date,
        content_id,
        min(event_at) as first_posted_at
    from events
    where event_type = 'post'
    group by event_date, content_id
),

seen as (
    select
        event_date,
        content_id,
        min(event_at) as first_seen_at,
        max(event_at) as last_seen_at
    from events
    group by event_date, content_id
)

select
    seen.event_date,
    seen.content_id,
    posts.creator_id,
    posts.content_text,
    first_posts.first_posted_at,
    posts.posted_at as last_posted_at,
    seen.first_seen_at,
    seen.last_seen_at
from seen
left join posts on seen.event_date = posts.event_date and seen.content_id = posts.content_id
left join first_posts on seen.event_date = first_posts.event_date and seen.content_id = first_posts.content_id
