{{
    config(
        tags=["users"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        require_partition_filter=true,
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id"],
        labels={"managed_by": "hourglass", "table_type": "clean", "source": "users"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with landed as (
    select *
    from {{ ref("stg_users__users") }}
    where
        {{ landing_hours_for(event_dates, "users") }}
        and {{ event_dates_predicate(event_dates) }}
)

select
    user_id,
    event_date,
    updated_at,
    created_at,
    `change`,
    country,
    plan,
    status,
    marketing_consent,
    landing_hour
from landed
-- A state that was delivered again in a later partition counts where it landed first.
qualify
    row_number() over (
        partition by event_date, user_id, updated_at
        order by landing_hour, source_object, source_line
    ) = 1
