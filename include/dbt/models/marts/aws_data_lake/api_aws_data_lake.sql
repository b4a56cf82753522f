-- Generated from sources/aws_data_lake.yaml by hourglass compile; delete this line to own it (82a629aac571)
select
    shipment_id,
    order_id,
    carrier,
    service_level,
    status,
    weight_kg,
    currency,
    warehouse_id,
    destination_country,
    destination_region,
    items,
    tags,
    promised_date,
    delivered_at,
    is_return,
    updated_at,
    item_count,
    is_late,
    landing_hour,
    event_date
from {{ ref("stg_aws_data_lake__aws_data_lake") }}
