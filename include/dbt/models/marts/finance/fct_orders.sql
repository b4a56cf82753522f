{{
    config(
        tags=["orders"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["customer_id", "status"],
        labels={
            "managed_by": "hourglass", "table_type": "mart", "source": "orders", "environment": env_var("HOURGLASS_DBT_TARGET", "prod")
        },
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with landed as (
    select
        *,
        case status when 'pending' then 1 when 'processing' then 2 when 'shipped' then 3 else 4 end as step
    from {{ ref("stg_orders__orders") }}
    where
        {{ landing_hours_for(event_dates, "orders") }}
        and {{ event_dates_predicate(event_dates) }}
),

-- A status that was delivered again in a later partition counts where it landed first.
deliveries as (
    select *
    from landed
    qualify
        row_number() over (
            partition by event_date, order_id, status
            order by landing_hour, source_object, source_line
        ) = 1
),

-- An order's events all bear the time at which it was placed, so that they meet on one date.
statuses as (
    select
        event_date,
        order_id,
        max(step) as furthest_step,
        count(*) as status_events,
        min(landing_hour) as first_landing_hour,
        max(if(status = 'processing', processed_timestamp, null)) as processing_at,
        max(if(status = 'shipped', processed_timestamp, null)) as shipped_at,
        max(if(status = 'delivered', processed_timestamp, null)) as delivered_at
    from deliveries
    group by event_date, order_id
)

select
    {{ surrogate_key(["deliveries.event_date", "deliveries.order_id"]) }} as order_key,
    deliveries.order_id,
    deliveries.event_date,
    deliveries.order_date as ordered_at,
    deliveries.customer_id,
    deliveries.status,
    deliveries.items,
    deliveries.item_count as pieces,
    deliveries.total_amount,
    deliveries.shipping_address_city as shipping_city,
    deliveries.shipping_address_country as shipping_country,
    statuses.processing_at,
    statuses.shipped_at,
    statuses.delivered_at,
    statuses.status_events,
    statuses.first_landing_hour
from deliveries
inner join statuses
    on
        deliveries.event_date = statuses.event_date
        and deliveries.order_id = statuses.order_id
        and deliveries.step = statuses.furthest_step
