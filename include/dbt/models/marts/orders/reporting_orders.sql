-- Generated from sources/orders.yaml by hourglass compile; delete this line to own it (4c19a1c84a7d)
select
    customer_id,
    date,
    orders,
    deliveries,
    pieces,
    total_amount
from {{ ref("gold_orders") }}
