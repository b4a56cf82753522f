{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id", "event_type"],
        labels={"managed_by": "hourglass", "table_type": "mart", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}

-- Until the cut-over Google Analytics counts, from then on the SDK: no day has events of both.
with google_analytics as (
    select
        *,
        {{ ga4_event_type() }} as event_type,
        row_number() over (
            partition by event_date, user_pseudo_id, event_at, event_name, bundle_sequence_id
            order by session_id
        ) as repetition
    from {{ ref("stg_ga4__events") }}
    where
        {{ event_dates_predicate(event_dates) }}
        and event_date < {{ ga4_cut_over() }}
),

sdk as (
    select *
    from {{ ref("fct_user_engagement") }}
    where
        {{ event_dates_predicate(event_dates) }}
        and event_date >= {{ ga4_cut_over() }}
)

select
    {{ surrogate_key([
        "'ga4'", "event_date", "user_pseudo_id", "unix_micros(event_at)", "event_name", "bundle_sequence_id", "repetition"
    ]) }} as event_key,
    event_date,
    event_at,
    event_type,
    'ga4' as origin,
    user_id,
    content_id,
    lower(platform) as platform,
    country,
    cast(engagement_time_ms as numeric) / 1000 as engagement_seconds,
    cast(event_value_in_usd as numeric) as event_revenue
from google_analytics
where event_type is not null
union all
select
    event_key,
    event_date,
    event_at,
    event_type,
    'sdk' as origin,
    user_id,
    content_id,
    device_os as platform,
    location_country as country,
    engagement_seconds,
    event_revenue
from sdk
