-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    id as event_id,
    event_date,
    created_at as event_at,
    type as event_type,
    actor.id as actor_id,
    actor.login as actor_login,
    is_bot,
    repo.id as repo_id,
    repo.name as repo_name,
    repo_owner,
    org.id as org_id,
    org.login as org_login,
    public as is_public,
    json_value(payload, '$.action') as action,
    json_value(payload, '$.ref') as ref,
    json_value(payload, '$.ref_type') as ref_type,
    safe_cast(json_value(payload, '$.size') as int64) as push_size,
    safe_cast(json_value(payload, '$.distinct_size') as int64) as push_distinct_size,
    coalesce(
        safe_cast(json_value(payload, '$.pull_request.number') as int64),
        safe_cast(json_value(payload, '$.issue.number') as int64)
    ) as subject_number,
    landing_hour,
    source_object,
    source_line
from {{ source("github", "github") }}
