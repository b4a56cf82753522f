{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["product_id", "warehouse_id"],
        labels={
            "managed_by": "hourglass", "table_type": "mart", "source": "inventory", "environment": env_var("HOURGLASS_DBT_TARGET", "prod")
        },
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with landed as (
    select *
    from {{ ref("stg_inventory__inventory") }}
    where
        {{ landing_hours_for(event_dates, "inventory") }}
        and {{ event_dates_predicate(event_dates) }}
),

-- A movement that was delivered again in a later partition counts where it landed first.
movements as (
    select *
    from landed
    qualify
        row_number() over (
            partition by event_date, inventory_id
            order by landing_hour, source_object, source_line
        ) = 1
)

select
    {{ surrogate_key(["event_date", "product_id", "warehouse_id"]) }} as inventory_day_key,
    event_date,
    product_id,
    warehouse_id,
    count(*) as movements,
    sum(quantity_change) as net_change,
    sum(if(reason = 'restock', quantity_change, 0)) as restocked,
    -sum(if(reason = 'sale', quantity_change, 0)) as sold,
    sum(if(reason = 'return', quantity_change, 0)) as returned,
    -sum(if(reason = 'damage', quantity_change, 0)) as damaged
from movements
group by event_date, product_id, warehouse_id
