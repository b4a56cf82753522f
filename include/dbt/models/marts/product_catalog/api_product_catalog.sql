-- Generated from sources/product_catalog.yaml by hourglass compile; delete this line to own it (0d2956741b93)
select
    product_id,
    sku,
    name,
    category,
    brand,
    price,
    weight_grams,
    tags,
    is_active,
    released_on,
    exported_at,
    margin,
    landing_hour,
    event_date
from {{ ref("stg_product_catalog__product_catalog") }}
