-- Generated from sources/user_activity.yaml by hourglass compile; delete this line to own it (60270d0bcb6e)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    event_type,
    user_id,
    activity_type,
    ip_address,
    user_agent,
    timestamp,
    metadata.session_id as metadata_session_id,
    metadata.platform as metadata_platform,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("user_activity", "user_activity") }}
