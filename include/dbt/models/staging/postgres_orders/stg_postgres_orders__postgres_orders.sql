-- Generated from sources/postgres_orders.yaml by hourglass compile; delete this line to own it (f46ef3538af5)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    uuid,
    read_timestamp,
    source_timestamp,
    object,
    read_method,
    stream_name,
    schema_key,
    sort_keys,
    source_metadata.schema as source_metadata_schema,
    source_metadata.table as source_metadata_table,
    source_metadata.is_deleted as source_metadata_is_deleted,
    source_metadata.change_type as source_metadata_change_type,
    source_metadata.tx_id as source_metadata_tx_id,
    source_metadata.lsn as source_metadata_lsn,
    source_metadata.primary_keys as source_metadata_primary_keys,
    payload,
    lsn_position,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("postgres_orders", "postgres_orders") }}
