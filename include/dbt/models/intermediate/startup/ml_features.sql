{{
    config(
        tags=["daily"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        require_partition_filter=true,
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id"],
        meta={"recomputes": {"before": 0, "after": 6}},
        labels={"managed_by": "hourglass", "table_type": "curated", "source": "startup"},
    )
}}

{%- set event_dates = recomputed_dates() %}

with active as (
    select
        event_date,
        user_id
    from {{ ref("user_metrics") }}
    where {{ event_dates_predicate(event_dates) }}
),

days as (
    select *
    from {{ ref("user_metrics") }}
    where {{ event_dates_predicate(event_dates_around(event_dates, 6, 0)) }}
)

-- Seven days, the date itself the last of them: what is known at its end, and nothing from after it.
select
    active.event_date,
    active.user_id,
    count(*) as active_days_7d,
    sum(days.events) as events_7d,
    sum(days.purchases) as purchases_7d,
    cast(sum(days.revenue_usd) as numeric) as revenue_usd_7d,
    sum(days.sessions) as sessions_7d,
    cast(sum(cast(days.session_seconds as numeric)) as float64) as session_seconds_7d,
    sum(days.errors) as errors_7d,
    date_diff(active.event_date, min(days.event_date), day) as days_since_first_active_7d
from active
inner join days
    on
        active.user_id = days.user_id
        and days.event_date between date_sub(active.event_date, interval 6 day) and active.event_date
group by active.event_date, active.user_id
