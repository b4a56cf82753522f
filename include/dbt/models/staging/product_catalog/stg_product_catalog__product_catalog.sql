-- Generated from sources/product_catalog.yaml by hourglass compile; delete this line to own it (3868f4cbb450)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    product_id,
    sku,
    name,
    category,
    brand,
    price,
    cost,
    weight_grams,
    tags,
    is_active,
    released_on,
    exported_at,
    margin,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("product_catalog", "product_catalog") }}
