{{
    config(
        tags=["daily"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        require_partition_filter=true,
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["event_type", "platform"],
        labels={"managed_by": "hourglass", "table_type": "curated", "source": "startup"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

select
    event_date,
    event_type,
    coalesce(platform, 'unknown') as platform,
    count(*) as `events`,
    count(distinct user_id) as `users`,
    count(distinct session_id) as `sessions`,
    countif(is_on_time) as on_time_events,
    cast(coalesce(sum(if(currency = 'USD', amount, 0)), 0) as numeric) as amount_usd
from {{ ref("events_clean") }}
where {{ event_dates_predicate(event_dates) }}
group by event_date, event_type, coalesce(platform, 'unknown')
