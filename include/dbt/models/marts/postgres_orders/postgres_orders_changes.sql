{{
    config(
        tags=["postgres_orders"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        require_partition_filter=true,
        cluster_by=["table_name"],
        labels={"managed_by": "hourglass", "table_type": "changes", "source": "postgres_orders"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with landed as (
    select *
    from {{ ref("stg_postgres_orders__postgres_orders") }}
    where
        {{ landing_hours_for(event_dates, "postgres_orders") }}
        and {{ event_dates_predicate(event_dates) }}
)

select
    uuid,
    event_date,
    source_timestamp,
    read_timestamp,
    source_metadata_table as table_name,
    source_metadata_change_type as change_type,
    source_metadata_is_deleted as is_deleted,
    lsn_position,
    sort_keys,
    source_metadata_tx_id as tx_id,
    payload,
    landing_hour,
    source_object,
    source_line
from landed
-- A change that was delivered again in a later partition counts where it landed first.
qualify
    row_number() over (
        partition by event_date, uuid
        order by landing_hour, source_object, source_line
    ) = 1
