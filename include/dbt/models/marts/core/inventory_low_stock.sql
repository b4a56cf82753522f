{{
    config(
        tags=["daily"],
        cluster_by=["product_id", "warehouse_id"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={
            "managed_by": "hourglass", "table_type": "mart", "source": "inventory", "environment": env_var("HOURGLASS_DBT_TARGET", "prod")
        },
    )
}}

with levels as (
    select
        *,
        max(event_date) over () as as_of_date
    from {{ ref("fct_inventory_levels") }}
    where {{ every_partition(ref("fct_inventory_levels")) }}
)

-- What came and went in the last seven days that the data knows, the newest movement's day being the last.
select
    product_id,
    warehouse_id,
    as_of_date,
    sum(net_change) as stock_change_7d,
    sum(sold) as sold_7d,
    sum(restocked) as restocked_7d,
    max(event_date) as last_movement_date
from levels
where event_date > date_sub(as_of_date, interval 7 day)
group by product_id, warehouse_id, as_of_date
having sum(net_change) < 10
