-- Generated from sources/customer_support.yaml by hourglass compile; delete this line to own it (0f527ea5cfff)
{%- set event_dates = hourglass_event_dates() %}

-- The rows of the event dates at hand, from every partition that can hold them.
with landed as (
    select *
    from {{ source("customer_support", "customer_support") }}
    where
        {{ landing_hours_for(event_dates, "customer_support") }}
        and {{ event_dates_predicate(event_dates) }}
),

-- A row that was delivered again in a later partition counts where it landed first.
-- Ranked within its event date, so that a date depends on that date's rows alone.
ranked as (
    select
        *,
        row_number() over (
            partition by event_date, ticket_id
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
    category,
    channel,
    event_date as `date`,
    count(*) as `tickets`,
    countif(status in ('solved', 'closed')) as `solved`,
    avg(first_response_minutes) as mean_first_response_minutes,
    avg(satisfaction_score) as mean_satisfaction_score
from deliveries
group by category, channel, date
