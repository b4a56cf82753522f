{{
    config(
        tags=["daily"],
        cluster_by=["customer_id"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={
            "managed_by": "hourglass", "table_type": "mart", "source": "orders", "environment": env_var("HOURGLASS_DBT_TARGET", "prod")
        },
    )
}}

with orders as (
    select
        customer_id,
        order_id,
        event_date,
        ordered_at,
        total_amount,
        max(event_date) over () as as_of_date
    from {{ ref("fct_orders") }}
    where {{ every_partition(ref("fct_orders")) }}
),

-- The last 90 days as the data knows them: the day of the newest order is the last of them.
customers as (
    select
        customer_id,
        as_of_date,
        count(*) as orders_90d,
        cast(sum(total_amount) as numeric) as lifetime_value_90d,
        min(ordered_at) as first_order_at,
        max(ordered_at) as last_order_at
    from orders
    where event_date > date_sub(as_of_date, interval 90 day)
    group by customer_id, as_of_date
)

select
    customer_id,
    as_of_date,
    orders_90d,
    lifetime_value_90d,
    cast(round(lifetime_value_90d / orders_90d, 2) as numeric) as average_order_value,
    first_order_at,
    last_order_at,
    date_diff(as_of_date, date(last_order_at), day) as days_since_last_order,
    ntile(10) over (order by lifetime_value_90d desc, customer_id asc) as value_decile
from customers
