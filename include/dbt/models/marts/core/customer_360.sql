{{
    config(
        tags=["daily"],
        cluster_by=["customer_id"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "mart", "domain": "customer_360"},
    )
}}

with orders as (
    select
        customer_id,
        count(*) as `orders`,
        countif(status = 'delivered') as delivered_orders,
        cast(sum(total_amount) as numeric) as ordered_amount,
        min(ordered_at) as first_order_at,
        max(ordered_at) as last_order_at
    from {{ ref("postgres_orders_orders") }}
    group by customer_id
),

charges as (
    select
        order_id,
        currency,
        status,
        net_amount
    from {{ ref("stg_stripe_payments__stripe_payments") }}
    where {{ landing_hours_for(none, "stripe_payments") }}
    qualify row_number() over (partition by id order by landing_hour, source_object, source_line) = 1
),

-- A charge names the order that it pays for, and the order its customer.
payments as (
    select
        orders.customer_id,
        countif(charges.status = 'succeeded') as `charges`,
        countif(charges.status = 'failed') as failed_charges,
        cast(sum(if(charges.currency = 'usd', charges.net_amount, 0)) as numeric) as paid_usd
    from charges
    inner join {{ ref("postgres_orders_orders") }} as orders on charges.order_id = orders.order_id
    group by orders.customer_id
),

-- A shipment counts as it stands: its newest status.
shipments as (
    select
        shipment_id,
        customer_id,
        status,
        is_late
    from {{ ref("stg_aws_data_lake__aws_data_lake") }}
    where {{ landing_hours_for(none, "aws_data_lake") }}
    qualify
        row_number() over (
            partition by shipment_id
            order by updated_at desc, landing_hour asc, source_object asc, source_line asc
        ) = 1
),

deliveries as (
    select
        customer_id,
        count(*) as shipments,
        countif(is_late) as late_shipments,
        countif(status = 'returned') as returned_shipments
    from shipments
    group by customer_id
)

select
    customers.customer_id,
    customers.country,
    customers.segment,
    customers.created_at as customer_since,
    coalesce(orders.orders, 0) as `orders`,
    coalesce(orders.delivered_orders, 0) as delivered_orders,
    coalesce(orders.ordered_amount, 0) as ordered_amount,
    orders.first_order_at,
    orders.last_order_at,
    coalesce(payments.charges, 0) as `charges`,
    coalesce(payments.failed_charges, 0) as failed_charges,
    coalesce(payments.paid_usd, 0) as paid_usd,
    coalesce(deliveries.shipments, 0) as shipments,
    coalesce(deliveries.late_shipments, 0) as late_shipments,
    coalesce(deliveries.returned_shipments, 0) as returned_shipments
from {{ ref("postgres_orders_customers") }} as customers
left join orders on customers.customer_id = orders.customer_id
left join payments on customers.customer_id = payments.customer_id
left join deliveries on customers.customer_id = deliveries.customer_id
