-- Generated from sources/events.yaml by hourglass compile; delete this line to own it (fc26fa0f9588)
{%- set event_dates = hourglass_event_dates() %}

-- The rows of the event dates at hand, from every partition that can hold them.
with landed as (
    select *
    from {{ source("events", "events") }}
    where
        {{ landing_hours_for(event_dates, "events") }}
        and {{ event_dates_predicate(event_dates) }}
),

-- A row that was delivered again in a later partition counts where it landed first.
-- Ranked within its event date, so that a date depends on that date's rows alone.
ranked as (
    select
        *,
        row_number() over (
            partition by event_date, event_id
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
    event_date as `date`,
    event_type,
    count(*) as event_count,
    count(distinct user_id) as user_count,
    count(distinct session_id) as session_count
from deliveries
group by date, event_type
