-- Generated from sources/sessions.yaml by hourglass compile; delete this line to own it (3858cbf38ac5)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    session_id,
    user_id,
    session_start,
    session_end,
    duration_seconds,
    event_count,
    platform,
    country,
    entry_page,
    exit_page,
    payload,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("sessions", "sessions") }}
