{{
    config(
        tags=["daily"],
        cluster_by=["user_id"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "mart", "source": "startup"},
    )
}}

with states as (
    select
        user_id,
        created_at,
        country,
        plan,
        status,
        updated_at
    from {{ ref("users_clean") }}
    where {{ every_partition(ref("users_clean")) }}
    qualify row_number() over (partition by user_id order by updated_at desc, landing_hour asc) = 1
),

days as (
    select
        *,
        max(event_date) over () as as_of_date
    from {{ ref("user_metrics") }}
    where {{ every_partition(ref("user_metrics")) }}
),

activity as (
    select
        user_id,
        as_of_date,
        min(event_date) as first_active_date,
        max(event_date) as last_active_date,
        count(*) as active_days,
        sum(events) as `events`,
        sum(sessions) as `sessions`,
        sum(purchases) as purchases,
        cast(sum(revenue_usd) as numeric) as revenue_usd
    from days
    group by user_id, as_of_date
)

select
    activity.user_id,
    activity.as_of_date,
    states.created_at,
    states.country,
    states.plan,
    states.status,
    activity.first_active_date,
    activity.last_active_date,
    activity.active_days,
    activity.events,
    activity.sessions,
    activity.purchases,
    activity.revenue_usd,
    case
        when date_diff(activity.as_of_date, activity.last_active_date, day) < 7 then 'active'
        when date_diff(activity.as_of_date, activity.last_active_date, day) < 30 then 'cooling'
        else 'dormant'
    end as lifecycle
from activity
left join states on activity.user_id = states.user_id
