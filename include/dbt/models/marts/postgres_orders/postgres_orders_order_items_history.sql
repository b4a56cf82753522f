{{
    config(
        tags=["postgres_orders"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        cluster_by=["order_id"],
        labels={"managed_by": "hourglass", "table_type": "history", "source": "postgres_orders"},
    )
}}

{%- set columns = {
    "order_id": "string",
    "line_number": "int64",
    "product_id": "string",
    "quantity": "int64",
    "unit_price": "numeric",
} %}

{{ cdc_history(ref("postgres_orders_changes"), "order_items", ["order_id", "line_number"], columns) }}
