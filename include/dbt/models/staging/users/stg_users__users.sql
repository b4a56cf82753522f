-- Generated from sources/users.yaml by hourglass compile; delete this line to own it (9b430632c13d)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    user_id,
    updated_at,
    created_at,
    change,
    email,
    name,
    country,
    plan,
    status,
    marketing_consent,
    payload,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("users", "users") }}
