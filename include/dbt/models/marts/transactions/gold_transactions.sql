-- Generated from sources/transactions.yaml by hourglass compile; delete this line to own it (3ac232ded38d)
{%- set event_dates = hourglass_event_dates() %}

-- The rows of the event dates at hand, from every partition that can hold them.
with landed as (
    select *
    from {{ source("transactions", "transactions") }}
    where
        {{ landing_hours_for(event_dates, "transactions") }}
        and {{ event_dates_predicate(event_dates) }}
),

-- A row that was delivered again in a later partition counts where it landed first.
-- Ranked within its event date, so that a date depends on that date's rows alone.
ranked as (
    select
        *,
        row_number() over (
            partition by event_date, transaction_id
            order by landing_hour, source_object, source_line
        ) as delivery
    from landed
),

deliveries as (
    select * except (delivery)
    from ranked
    where delivery = 1
),

-- product_catalog as it is now.
product_catalog as (
    select
        product_id,
        product_name,
        category,
        brand,
        list_price,
        is_active,
        released_on
    from {{ ref("product_catalog") }}
    where {{ every_partition(ref("product_catalog")) }}
),

with_product_catalog as (
    select
        deliveries.*,
        product_catalog.product_name,
        product_catalog.category,
        product_catalog.brand,
        product_catalog.list_price,
        product_catalog.is_active,
        product_catalog.released_on
    from deliveries
    left join product_catalog on deliveries.product_id = product_catalog.product_id
)

select
    customer_id,
    category,
    event_date as `date`,
    sum(amount) as total_amount,
    sum(quantity) as `pieces`,
    count(*) as transaction_count,
    countif(status = 'refunded') as `refunds`,
    max(transaction_timestamp) as last_transaction_at
from with_product_catalog
group by customer_id, category, date
