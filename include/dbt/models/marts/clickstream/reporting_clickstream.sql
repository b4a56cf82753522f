-- Generated from sources/clickstream.yaml by hourglass compile; delete this line to own it (2b6fd18083a2)
select
    product_category,
    event_name,
    date,
    hour,
    events,
    sessions,
    visitors,
    mean_page_load_ms
from {{ ref("gold_clickstream") }}
