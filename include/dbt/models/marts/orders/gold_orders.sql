-- Generated from sources/orders.yaml by hourglass compile; delete this line to own it (e07e714d2265)
{%- set event_dates = hourglass_event_dates() %}

-- The rows of the event dates at hand, from every partition that can hold them.
with landed as (
    select *
    from {{ source("orders", "orders") }}
    where
        {{ landing_hours_for(event_dates, "orders") }}
        and {{ event_dates_predicate(event_dates) }}
),

-- A row that was delivered again in a later partition counts where it landed first.
-- Ranked within its event date, so that a date depends on that date's rows alone.
ranked as (
    select
        *,
        row_number() over (
            partition by event_date, order_id, status
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
    customer_id,
    event_date as `date`,
    countif(status = 'pending') as `orders`,
    countif(status = 'delivered') as `deliveries`,
    cast(sum(if(status = 'pending', item_count, 0)) as INT64) as `pieces`,
    cast(sum(if(status = 'pending', total_amount, 0)) as NUMERIC) as total_amount
from deliveries
group by customer_id, date
