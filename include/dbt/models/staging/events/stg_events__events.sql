-- Generated from sources/events.yaml by hourglass compile; delete this line to own it (207c39706825)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    event_id,
    user_id,
    session_id,
    event_type,
    event_timestamp,
    platform,
    app_version,
    payload,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("events", "events") }}
