{{
    config(
        tags=["daily"],
        labels={"managed_by": "hourglass", "table_type": "intermediate", "platform": "photo_sharing"},
    )
}}

-- Aggregated within the date, so that a filter on event_date reaches the tables.
with counted as (
    select
        event_date,
        'sdk' as origin,
        count(*) as events
    from {{ ref("fct_user_engagement") }}
    group by event_date
    union all
    select
        event_date,
        'ga4' as origin,
        countif({{ ga4_event_type() }} is not null) as events
    from {{ ref("stg_ga4__events") }}
    group by event_date
)

select
    event_date,
    sum(if(origin = 'sdk', events, 0)) as sdk_events,
    sum(if(origin = 'ga4', events, 0)) as ga4_events
from counted
group by event_date
