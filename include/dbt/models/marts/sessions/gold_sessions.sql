-- Generated from sources/sessions.yaml by hourglass compile; delete this line to own it (2f2d537ccae8)
{%- set event_dates = hourglass_event_dates() %}

-- The rows of the event dates at hand, from every partition that can hold them.
with landed as (
    select *
    from {{ source("sessions", "sessions") }}
    where
        {{ landing_hours_for(event_dates, "sessions") }}
        and {{ event_dates_predicate(event_dates) }}
),

-- A row that was delivered again in a later partition counts where it landed first.
-- Ranked within its event date, so that a date depends on that date's rows alone.
ranked as (
    select
        *,
        row_number() over (
            partition by event_date, session_id
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
    user_id,
    count(*) as session_count,
    cast(sum(cast(duration_seconds as NUMERIC)) as FLOAT64) as total_seconds,
    sum(event_count) as total_events
from deliveries
group by date, user_id
