{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_country"],
        labels={"managed_by": "hourglass", "table_type": "aggregate", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with counted as (
    select
        event_date,
        user_country,
        count(distinct user_id) as active_users,
        -- What mv_daily_active_users answers for the same rows.
        hll_count.extract(hll_count.init(user_id)) as estimated_users
    from {{ ref("fct_user_engagement") }}
    where {{ event_dates_predicate(event_dates) }}
    group by event_date, user_country
)

select
    {{ surrogate_key(["event_date", "user_country"]) }} as active_users_key,
    event_date,
    user_country,
    active_users,
    estimated_users,
    safe_divide(estimated_users - active_users, active_users) as estimate_error
from counted
