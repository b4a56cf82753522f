-- Generated from sources/orders.yaml by hourglass compile; delete this line to own it (70b6a5365170)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    event_type,
    order_id,
    customer_id,
    order_date,
    status,
    items,
    shipping_address.street as shipping_address_street,
    shipping_address.city as shipping_address_city,
    shipping_address.country as shipping_address_country,
    total_amount,
    processed_timestamp,
    item_count,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("orders", "orders") }}
