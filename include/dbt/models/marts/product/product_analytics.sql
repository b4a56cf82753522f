{{
    config(
        tags=["daily"],
        cluster_by=["category", "product_id"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "mart", "domain": "product_analytics"},
    )
}}

with sold as (
    select
        items.product_id,
        count(distinct items.order_id) as `orders`,
        count(distinct orders.customer_id) as customers,
        sum(items.quantity) as pieces,
        cast(sum(items.quantity * items.unit_price) as numeric) as revenue,
        max(orders.ordered_at) as last_ordered_at
    from {{ ref("postgres_orders_order_items") }} as items
    inner join {{ ref("postgres_orders_orders") }} as orders on items.order_id = orders.order_id
    group by items.product_id
),

shipments as (
    select
        shipment_id,
        status,
        items
    from {{ ref("stg_aws_data_lake__aws_data_lake") }}
    where {{ landing_hours_for(none, "aws_data_lake") }}
    qualify
        row_number() over (
            partition by shipment_id
            order by updated_at desc, landing_hour asc, source_object asc, source_line asc
        ) = 1
),

shipped as (
    select
        item.product_id,
        sum(item.quantity) as shipped_pieces,
        sum(if(shipments.status = 'returned', item.quantity, 0)) as returned_pieces
    from shipments
    cross join unnest(shipments.items) as item
    group by item.product_id
)

select
    catalog.product_id,
    catalog.product_name,
    catalog.category,
    catalog.brand,
    catalog.list_price,
    coalesce(sold.orders, 0) as `orders`,
    coalesce(sold.customers, 0) as customers,
    coalesce(sold.pieces, 0) as pieces,
    coalesce(sold.revenue, 0) as revenue,
    cast(round(safe_divide(sold.revenue, sold.pieces), 2) as numeric) as average_price,
    coalesce(shipped.shipped_pieces, 0) as shipped_pieces,
    coalesce(shipped.returned_pieces, 0) as returned_pieces,
    safe_divide(shipped.returned_pieces, shipped.shipped_pieces) as return_share,
    sold.last_ordered_at
from {{ ref("product_catalog") }} as catalog
left join sold on catalog.product_id = sold.product_id
left join shipped on catalog.product_id = shipped.product_id
