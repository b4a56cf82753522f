{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["product_id", "customer_id"],
        labels={
            "managed_by": "hourglass", "table_type": "mart", "source": "orders", "environment": env_var("HOURGLASS_DBT_TARGET", "prod")
        },
    )
}}

{%- set event_dates = hourglass_event_dates() %}

-- dbt puts the rows of a unit test behind the first WITH that it finds, which would be that of the UNNEST.
with orders as (
    select *
    from {{ ref("fct_orders") }}
    where {{ event_dates_predicate(event_dates) }}
)

select
    {{ surrogate_key(["orders.event_date", "orders.order_id", "line_offset"]) }} as order_item_key,
    orders.order_id,
    line_offset + 1 as line_number,
    orders.event_date,
    orders.ordered_at,
    orders.customer_id,
    orders.status,
    item.product_id,
    item.product_name,
    item.quantity,
    item.price,
    cast(item.quantity * item.price as numeric) as amount
from orders
cross join unnest(orders.items) as item with offset as line_offset
