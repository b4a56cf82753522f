{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["feature_set", "feature"],
        meta={"recomputes": {"before": 1, "after": 14}},
        labels={"managed_by": "hourglass", "table_type": "statistics", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}
{%- set weeks = event_dates_around(event_dates, before=7) %}
{%- set of_users = [
    "events_1d", "sessions_1d", "events_7d", "views_7d", "interactions_7d", "posts_7d", "sessions_7d",
    "active_days_7d", "engagement_seconds_7d", "revenue_7d", "interaction_rate_7d", "mean_session_seconds_7d",
    "days_since_previous_activity",
] %}
{%- set of_photos = [
    "views_1d", "users_1d", "views_7d", "users_7d", "interactions_7d", "shares_7d", "engagement_seconds_7d",
    "interaction_rate_7d", "views_1d_share",
] %}

with days as (
    {{ daily_feature_sums("user_features", of_users, weeks) }}
    union all
    {{ daily_feature_sums("recommendation_features", of_photos, weeks) }}
),

weeks as (
    select
        today.event_date,
        today.feature_set,
        today.feature,
        sum(before.row_count) as row_count,
        sum(before.known) as known,
        sum(before.total) as total,
        sum(before.squares) as squares
    from days as today
    inner join days as before
        on
            today.feature_set = before.feature_set
            and today.feature = before.feature
            and before.event_date between date_sub(today.event_date, interval 7 day)
            and date_sub(today.event_date, interval 1 day)
    group by today.event_date, today.feature_set, today.feature
),

-- n * sum(x * x) - sum(x) * sum(x) is n * n variances: rounding begins with the root.
compared as (
    select
        days.event_date,
        days.feature_set,
        days.feature,
        days.row_count as entities,
        days.row_count - days.known as missing,
        (days.row_count - days.known) / days.row_count as null_rate,
        cast(days.total as float64) / nullif(days.known, 0) as mean,
        sqrt(cast(days.known * days.squares - days.total * days.total as float64)) / nullif(days.known, 0) as deviation,
        (weeks.row_count - weeks.known) / weeks.row_count as baseline_null_rate,
        cast(weeks.total as float64) / nullif(weeks.known, 0) as baseline_mean,
        sqrt(cast(weeks.known * weeks.squares - weeks.total * weeks.total as float64))
        / nullif(weeks.known, 0) as baseline_deviation
    from days
    left join weeks
        on
            days.event_date = weeks.event_date
            and days.feature_set = weeks.feature_set
            and days.feature = weeks.feature
    where {{ event_dates_predicate(event_dates, "days.event_date") }}
)

select
    {{ surrogate_key(["event_date", "feature_set", "feature"]) }} as statistics_key,
    *,
    safe_divide(mean - baseline_mean, baseline_deviation) as drift
from compared
