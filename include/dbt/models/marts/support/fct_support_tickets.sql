{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["category", "customer_id"],
        labels={"managed_by": "hourglass", "table_type": "mart", "source": "customer_support"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with landed as (
    select *
    from {{ ref("stg_customer_support__customer_support") }}
    where
        {{ landing_hours_for(event_dates, "customer_support") }}
        and {{ event_dates_predicate(event_dates) }}
)

select
    {{ surrogate_key(["event_date", "ticket_id"]) }} as ticket_key,
    ticket_id,
    event_date,
    created_at,
    customer_id,
    channel,
    category,
    priority,
    status,
    product_id,
    agent_id,
    first_response_minutes,
    satisfaction_score,
    resolved_at,
    timestamp_diff(resolved_at, created_at, minute) as resolution_minutes,
    landing_hour
from landed
-- A ticket that was delivered again in a later partition counts where it landed first.
qualify
    row_number() over (
        partition by event_date, ticket_id
        order by landing_hour, source_object, source_line
    ) = 1
