{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id"],
        labels={"managed_by": "hourglass", "table_type": "mart", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}

-- depends_on: {{ ref("dim_content") }}
-- (Its tests look keys up there.)
-- What users with the same photos also looked at, of the seven days until event_date, for the users active on it.
with active as (
    select distinct
        event_date,
        user_id
    from {{ ref("int_user_content_daily") }}
    where {{ event_dates_predicate(event_dates) }}
),

windows as (
    select
        days.event_date,
        daily.user_id,
        daily.content_id,
        sum(daily.engagements) as engagements
    from (select distinct event_date from active) as days
    inner join {{ ref("int_user_content_daily") }} as daily
        on daily.event_date between date_sub(days.event_date, interval 6 day) and days.event_date
    where {{ event_dates_predicate(event_dates_around(event_dates, before=6), "daily.event_date") }}
    group by days.event_date, daily.user_id, daily.content_id
),

-- The 50 photos that a user engaged with most: pairs grow with the square of them.
items as (
    select
        event_date,
        user_id,
        content_id
    from windows
    where engagements > 0
    qualify row_number() over (partition by event_date, user_id order by engagements desc, content_id asc) <= 50
),

pairs as (
    select
        one.event_date,
        one.content_id,
        other.content_id as other_id,
        count(*) as users
    from items as one
    inner join items as other on one.event_date = other.event_date and one.user_id = other.user_id
    where one.content_id != other.content_id
    group by one.event_date, one.content_id, other.content_id
),

-- The 100 photos that most go with one: without a limit, what is summed below grows with the square of the photos.
neighbours as (
    select
        event_date,
        content_id,
        other_id,
        users
    from pairs
    qualify row_number() over (partition by event_date, content_id order by users desc, other_id asc) <= 100
),

scored as (
    select
        items.event_date,
        items.user_id,
        neighbours.other_id as content_id,
        sum(neighbours.users) as score
    from active
    inner join items on active.event_date = items.event_date and active.user_id = items.user_id
    inner join neighbours on items.event_date = neighbours.event_date and items.content_id = neighbours.content_id
    group by items.event_date, items.user_id, neighbours.other_id
),

unseen as (
    select
        scored.event_date,
        scored.user_id,
        scored.content_id,
        scored.score
    from scored
    left join windows
        on
            scored.event_date = windows.event_date
            and scored.user_id = windows.user_id
            and scored.content_id = windows.content_id
    where windows.content_id is null
),

ranked as (
    select
        *,
        row_number() over (partition by event_date, user_id order by score desc, content_id asc) as recommendation_rank
    from unseen
)

select
    {{ surrogate_key(["event_date", "user_id", "content_id"]) }} as recommendation_key,
    event_date,
    user_id,
    content_id,
    recommendation_rank,
    score,
    timestamp(date_add(event_date, interval 1 day)) as recommended_at
from ranked
where recommendation_rank <= 100
