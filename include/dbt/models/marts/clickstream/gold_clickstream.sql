-- Generated from sources/clickstream.yaml by hourglass compile; delete this line to own it (fd0c84e647b6)
{%- set event_dates = hourglass_event_dates() %}

-- The rows of the event dates at hand, from every partition that can hold them.
with landed as (
    select *
    from {{ source("clickstream", "clickstream") }}
    where
        {{ landing_hours_for(event_dates, "clickstream") }}
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
    product_category,
    event_name,
    event_date as `date`,
    timestamp_trunc(event_timestamp, hour) as `hour`,
    count(*) as `events`,
    count(distinct session_id) as `sessions`,
    count(distinct anonymous_id) as `visitors`,
    avg(page_load_ms) as mean_page_load_ms
from deliveries
group by product_category, event_name, date, hour
