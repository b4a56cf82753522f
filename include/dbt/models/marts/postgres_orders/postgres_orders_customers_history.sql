{{
    config(
        tags=["postgres_orders"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        cluster_by=["customer_id"],
        labels={"managed_by": "hourglass", "table_type": "history", "source": "postgres_orders"},
    )
}}

{%- set columns = {
    "customer_id": "string",
    "email": "string",
    "full_name": "string",
    "country": "string",
    "segment": "string",
    "created_at": "timestamp",
    "updated_at": "timestamp",
} %}

{{ cdc_history(ref("postgres_orders_changes"), "customers", ["customer_id"], columns) }}
