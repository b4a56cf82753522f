{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        meta={"recomputes": {"before": 0, "after": 6}},
        labels={"managed_by": "hourglass", "table_type": "mart", "source": "startup"},
    )
}}

{%- set event_dates = recomputed_dates() %}

with days as (
    select *
    from {{ ref("user_metrics") }}
    where {{ event_dates_predicate(event_dates) }}
),

weeks as (
    select
        event_date,
        user_id
    from {{ ref("user_metrics") }}
    where {{ event_dates_predicate(event_dates_around(event_dates, 6, 0)) }}
),

dates as (
    select
        event_date,
        count(distinct user_id) as daily_active_users,
        sum(events) as `events`,
        sum(sessions) as `sessions`,
        sum(errors) as errors,
        sum(purchases) as purchases,
        countif(purchases > 0) as buyers,
        cast(sum(revenue_usd) as numeric) as revenue_usd
    from days
    group by event_date
),

weekly as (
    select
        dates.event_date,
        count(distinct weeks.user_id) as weekly_active_users
    from dates
    inner join weeks
        on weeks.event_date between date_sub(dates.event_date, interval 6 day) and dates.event_date
    group by dates.event_date
),

signups as (
    select
        event_date,
        count(distinct user_id) as new_users
    from {{ ref("users_clean") }}
    where {{ event_dates_predicate(event_dates) }} and `change` = 'created'
    group by event_date
),

timeliness as (
    select
        event_date,
        sum(on_time_events) / sum(events) as on_time_share
    from {{ ref("event_metrics") }}
    where {{ event_dates_predicate(event_dates) }}
    group by event_date
)

select
    dates.event_date,
    dates.daily_active_users,
    weekly.weekly_active_users,
    coalesce(signups.new_users, 0) as new_users,
    dates.events,
    dates.sessions,
    dates.purchases,
    dates.buyers,
    dates.revenue_usd,
    cast(round(dates.revenue_usd / dates.daily_active_users, 4) as numeric) as revenue_usd_per_user,
    dates.buyers / dates.daily_active_users as conversion,
    safe_divide(dates.errors, dates.events) as error_rate,
    timeliness.on_time_share
from dates
inner join weekly on dates.event_date = weekly.event_date
left join signups on dates.event_date = signups.event_date
left join timeliness on dates.event_date = timeliness.event_date
