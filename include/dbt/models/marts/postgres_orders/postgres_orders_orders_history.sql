{{
    config(
        tags=["postgres_orders"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        cluster_by=["customer_id", "order_id"],
        labels={"managed_by": "hourglass", "table_type": "history", "source": "postgres_orders"},
    )
}}

{%- set columns = {
    "order_id": "string",
    "customer_id": "string",
    "status": "string",
    "total_amount": "numeric",
    "currency": "string",
    "ordered_at": "timestamp",
    "updated_at": "timestamp",
} %}

{{ cdc_history(ref("postgres_orders_changes"), "orders", ["order_id"], columns) }}
