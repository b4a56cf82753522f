-- Generated from sources/user_activity.yaml by hourglass compile; delete this line to own it (a79dc98c8853)
{%- set event_dates = hourglass_event_dates() %}

-- The rows of the event dates at hand, from every partition that can hold them.
with landed as (
    select *
    from {{ source("user_activity", "user_activity") }}
    where
        {{ landing_hours_for(event_dates, "user_activity") }}
        and {{ event_dates_predicate(event_dates) }}
),

-- A row that was delivered again in a later partition counts where it landed first.
-- Ranked within its event date, so that a date depends on that date's rows alone.
ranked as (
    select
        *,
        row_number() over (
            partition by event_date, user_id, activity_type, timestamp, metadata.session_id
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
    activity_type,
    event_date as `date`,
    timestamp_trunc(timestamp, hour) as `hour`,
    count(*) as `activities`,
    count(distinct user_id) as `users`,
    count(distinct metadata.session_id) as `sessions`
from deliveries
group by activity_type, date, hour
