{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id"],
        meta={"recomputes": {"before": 7, "after": 6}},
        labels={"managed_by": "hourglass", "table_type": "training", "source": "startup"},
    )
}}

{%- set event_dates = recomputed_dates() %}

with outcomes as (
    select
        user_id,
        event_date,
        purchases,
        revenue_usd
    from {{ ref("user_metrics") }}
    where {{ event_dates_predicate(event_dates_around(event_dates, 0, 7)) }}
),

features as (
    select *
    from {{ ref("ml_features") }}
    where {{ event_dates_predicate(event_dates) }}
),

-- The label is what the seven days after the date brought; the features know nothing of them.
labels as (
    select
        features.event_date,
        features.user_id,
        sum(outcomes.purchases) as purchases,
        sum(outcomes.revenue_usd) as revenue_usd
    from features
    inner join outcomes
        on
            features.user_id = outcomes.user_id
            and outcomes.event_date between date_add(features.event_date, interval 1 day)
            and date_add(features.event_date, interval 7 day)
    group by features.event_date, features.user_id
)

select
    features.event_date,
    features.user_id,
    date_add(features.event_date, interval 7 day) as label_until,
    features.active_days_7d,
    features.events_7d,
    features.purchases_7d,
    features.revenue_usd_7d,
    features.sessions_7d,
    features.session_seconds_7d,
    features.errors_7d,
    coalesce(labels.purchases, 0) > 0 as label_purchased_7d,
    cast(coalesce(labels.revenue_usd, 0) as numeric) as label_revenue_usd_7d
from features
left join labels
    on
        features.event_date = labels.event_date
        and features.user_id = labels.user_id
