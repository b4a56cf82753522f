{{
    config(
        tags=["events"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        require_partition_filter=true,
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id", "event_type"],
        labels={"managed_by": "hourglass", "table_type": "clean", "source": "events"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with landed as (
    select *
    from {{ ref("stg_events__events") }}
    where
        {{ landing_hours_for(event_dates, "events") }}
        and {{ event_dates_predicate(event_dates) }}
)

select
    event_id,
    event_date,
    event_timestamp as event_at,
    user_id,
    session_id,
    event_type,
    platform,
    app_version,
    json_value(payload, '$.page') as page,
    safe_cast(json_value(payload, '$.amount') as numeric) as amount,
    json_value(payload, '$.currency') as currency,
    landing_hour,
    -- The service level: in the warehouse's reach two hours after it happened.
    landing_hour <= timestamp_add(event_timestamp, interval 2 hour) as is_on_time
from landed
-- An event that was delivered again in a later partition counts where it landed first.
qualify
    row_number() over (
        partition by event_date, event_id
        order by landing_hour, source_object, source_line
    ) = 1
