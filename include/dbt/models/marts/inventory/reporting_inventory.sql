-- Generated from sources/inventory.yaml by hourglass compile; delete this line to own it (11d9bf8bd717)
select
    product_id,
    warehouse_id,
    date,
    movements,
    net_change,
    sold,
    restocked
from {{ ref("gold_inventory") }}
