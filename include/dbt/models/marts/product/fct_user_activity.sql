{{
    config(
        tags=["user_activity"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id", "activity_type"],
        labels={
            "managed_by": "hourglass", "table_type": "mart", "source": "user_activity", "environment": env_var("HOURGLASS_DBT_TARGET", "prod")
        },
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with landed as (
    select *
    from {{ ref("stg_user_activity__user_activity") }}
    where
        {{ landing_hours_for(event_dates, "user_activity") }}
        and {{ event_dates_predicate(event_dates) }}
)

select
    {{
        surrogate_key(["event_date", "user_id", "activity_type", "unix_micros(timestamp)", "metadata_session_id"])
    }} as activity_key,
    event_date,
    timestamp as activity_at,
    user_id,
    activity_type,
    metadata_session_id as session_id,
    metadata_platform as platform,
    ip_address as ip_address_hash,
    user_agent as user_agent_hash,
    landing_hour
from landed
-- An activity that was delivered again in a later partition counts where it landed first.
qualify
    row_number() over (
        partition by event_date, user_id, activity_type, timestamp, metadata_session_id
        order by landing_hour, source_object, source_line
    ) = 1
