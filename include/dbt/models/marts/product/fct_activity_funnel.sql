{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["platform"],
        labels={
            "managed_by": "hourglass", "table_type": "mart", "source": "user_activity", "environment": env_var("HOURGLASS_DBT_TARGET", "prod")
        },
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with visits as (
    select
        event_date,
        platform,
        session_id,
        min(user_id) as user_id,
        countif(activity_type = 'view_product') as views,
        countif(activity_type = 'add_to_cart') as additions,
        countif(activity_type = 'remove_from_cart') as removals,
        countif(activity_type = 'logout') as logouts
    from {{ ref("fct_user_activity") }}
    where {{ event_dates_predicate(event_dates) }}
    group by event_date, platform, session_id
)

select
    event_date,
    platform,
    count(*) as `sessions`,
    countif(views + additions > 0) as viewed_sessions,
    countif(additions > 0) as added_sessions,
    countif(additions > removals) as kept_sessions,
    countif(logouts > 0) as logged_out_sessions,
    count(distinct user_id) as `users`,
    count(distinct if(views + additions > 0, user_id, null)) as viewed_users,
    count(distinct if(additions > 0, user_id, null)) as added_users,
    count(distinct if(additions > removals, user_id, null)) as kept_users,
    countif(views + additions > 0) / count(*) as view_rate,
    safe_divide(countif(additions > 0), countif(views + additions > 0)) as addition_rate
from visits
group by event_date, platform
