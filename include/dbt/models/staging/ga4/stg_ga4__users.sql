-- One row for each user and day: aggregated within the day, so that a filter on event_date reaches the tables.
with logged as (
    select
        safe.parse_date('%Y%m%d', _table_suffix) as event_day,
        user_pseudo_id,
        user_id,
        timestamp_micros(user_first_touch_timestamp) as first_touch_at,
        timestamp_micros(event_timestamp) as event_at,
        event_name,
        user_ltv.revenue as lifetime_revenue,
        {{ ga4_param("plan", "string", "user_properties") }} as plan,
        geo.country,
        platform,
        device.category as device_category
    from {{ source("ga4", "events") }}
    where
        _table_suffix between '20000101' and '29991231'
        and user_pseudo_id is not null
)

select
    event_day as event_date,
    user_pseudo_id,
    max(user_id) as user_id,
    min(first_touch_at) as first_touch_at,
    min(event_at) as first_event_at,
    max(event_at) as last_event_at,
    count(*) as event_count,
    countif(event_name = 'session_start') as session_count,
    max(lifetime_revenue) as lifetime_revenue,
    max(plan) as plan,
    max(country) as country,
    max(platform) as platform,
    max(device_category) as device_category
from logged
group by event_day, user_pseudo_id
