{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["content_id"],
        labels={"managed_by": "hourglass", "table_type": "feature", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}

-- What is known of a photo at the end of a day on which somebody engaged with it, from the seven days until then.
with days as (
    select *
    from {{ ref("int_user_content_daily") }}
    where
        {{ event_dates_predicate(event_dates_around(event_dates, before=6)) }}
        and engagements > 0
),

today as (
    select
        event_date,
        content_id,
        sum(views) as views_1d,
        count(*) as users_1d
    from days
    where {{ event_dates_predicate(event_dates) }}
    group by event_date, content_id
),

trailing as (
    select
        today.event_date,
        today.content_id,
        sum(days.views) as views_7d,
        sum(days.interactions) as interactions_7d,
        sum(days.shares) as shares_7d,
        sum(days.engagement_seconds) as engagement_seconds_7d,
        count(distinct days.user_id) as users_7d
    from today
    inner join days
        on
            today.content_id = days.content_id
            and days.event_date between date_sub(today.event_date, interval 6 day) and today.event_date
    group by today.event_date, today.content_id
)

select
    {{ surrogate_key(["today.event_date", "today.content_id"]) }} as feature_key,
    today.event_date,
    today.content_id,
    timestamp(date_add(today.event_date, interval 1 day)) as available_at,
    today.views_1d,
    today.users_1d,
    trailing.views_7d,
    trailing.users_7d,
    trailing.interactions_7d,
    trailing.shares_7d,
    trailing.engagement_seconds_7d,
    safe_divide(trailing.interactions_7d, trailing.views_7d) as interaction_rate_7d,
    safe_divide(today.views_1d, trailing.views_7d) as views_1d_share
from today
inner join trailing on today.event_date = trailing.event_date and today.content_id = trailing.content_id
