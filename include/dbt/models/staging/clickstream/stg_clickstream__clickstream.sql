-- Generated from sources/clickstream.yaml by hourglass compile; delete this line to own it (0cde9ca58351)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    event_id,
    event_timestamp,
    event_name,
    session_id,
    anonymous_id,
    user_id,
    page_url,
    referrer,
    product_id,
    product_category,
    device_type,
    country,
    campaign,
    page_load_ms,
    is_known,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("clickstream", "clickstream") }}
