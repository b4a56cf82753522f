-- Generated from sources/iot_sensors.yaml by hourglass compile; delete this line to own it (bc47916e3b18)
{%- set event_dates = hourglass_event_dates() %}

-- The rows of the event dates at hand, from every partition that can hold them.
with landed as (
    select *
    from {{ source("iot_sensors", "iot_sensors") }}
    where
        {{ landing_hours_for(event_dates, "iot_sensors") }}
        and {{ event_dates_predicate(event_dates) }}
),

-- A row that was delivered again in a later partition counts where it landed first.
-- Ranked within its event date, so that a date depends on that date's rows alone.
ranked as (
    select
        *,
        row_number() over (
            partition by event_date, message_id
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
    event_date,
    device_id,
    timestamp_seconds(div(unix_seconds(event_timestamp), 60) * 60) as window_start,
    count(*) as `readings`,
    cast(avg(cast(reading as NUMERIC)) as FLOAT64) as average_reading,
    min(reading) as lowest_reading,
    max(reading) as highest_reading,
    min(battery_level) as lowest_battery_level
from deliveries
group by event_date, device_id, window_start
