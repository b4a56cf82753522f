{{
    config(
        tags=["sessions"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        require_partition_filter=true,
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id"],
        labels={"managed_by": "hourglass", "table_type": "clean", "source": "sessions"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with landed as (
    select *
    from {{ ref("stg_sessions__sessions") }}
    where
        {{ landing_hours_for(event_dates, "sessions") }}
        and {{ event_dates_predicate(event_dates) }}
)

select
    session_id,
    event_date,
    user_id,
    session_start,
    session_end,
    duration_seconds,
    event_count,
    platform,
    country,
    entry_page,
    exit_page,
    landing_hour
from landed
-- A session that was delivered again in a later partition counts where it landed first.
qualify
    row_number() over (
        partition by event_date, session_id
        order by landing_hour, source_object, source_line
    ) = 1
