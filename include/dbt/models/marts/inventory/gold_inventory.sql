-- Generated from sources/inventory.yaml by hourglass compile; delete this line to own it (f78f12b8fa3a)
{%- set event_dates = hourglass_event_dates() %}

-- The rows of the event dates at hand, from every partition that can hold them.
with landed as (
    select *
    from {{ source("inventory", "inventory") }}
    where
        {{ landing_hours_for(event_dates, "inventory") }}
        and {{ event_dates_predicate(event_dates) }}
),

-- A row that was delivered again in a later partition counts where it landed first.
-- Ranked within its event date, so that a date depends on that date's rows alone.
ranked as (
    select
        *,
        row_number() over (
            partition by event_date, inventory_id
            order by landing_hour, source_object, source_line
        ) as delivery
    from landed
),

deliveries as (
    select * except (delivery)
    from ranked
    where delivery = 1
)

select
    product_id,
    warehouse_id,
    event_date as `date`,
    count(*) as `movements`,
    sum(quantity_change) as net_change,
    cast(-sum(if(reason = 'sale', quantity_change, 0)) as INT64) as `sold`,
    cast(sum(if(reason = 'restock', quantity_change, 0)) as INT64) as `restocked`
from deliveries
group by product_id, warehouse_id, date
