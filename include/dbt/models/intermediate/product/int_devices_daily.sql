{{
    config(
        tags=["daily"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        require_partition_filter=true,
        partition_expiration_days=none,
        cluster_by=["device_key"],
        labels={"managed_by": "hourglass", "table_type": "intermediate", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}

-- Of a device that told of itself in several ways on a day, the last word.
select
    event_date,
    device_key,
    device_os,
    device_model,
    device_category,
    device_os_version,
    event_at as stated_at
from {{ ref("fct_user_engagement") }}
where
    {{ event_dates_predicate(event_dates) }}
    and device_key is not null
qualify row_number() over (partition by event_date, device_key order by event_at desc, event_id desc) = 1
