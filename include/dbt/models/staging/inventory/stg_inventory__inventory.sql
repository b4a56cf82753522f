-- Generated from sources/inventory.yaml by hourglass compile; delete this line to own it (51a331929133)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    event_type,
    inventory_id,
    product_id,
    warehouse_id,
    quantity_change,
    reason,
    timestamp,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("inventory", "inventory") }}
