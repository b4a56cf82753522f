-- Feature set github_actor: what each actor did in the events that landed in one partition.
-- Parameter: @landing_hour TIMESTAMP, the partition's start. It reads the partition's own rows and not the fact table,
-- where a repeat that landed in another hour can move a row away: features must not depend on the order of runs.
-- The first column is the entity, the others are its features; no row depends on another's order.
SELECT
    actor_login AS entity,
    COUNT(*) AS events,
    COUNTIF(event_type = 'PushEvent') AS pushes,
    COUNTIF(event_type = 'PullRequestEvent' AND action = 'opened') AS pull_requests_opened,
    COUNTIF(event_type = 'WatchEvent') AS stars,
    COUNT(DISTINCT repo_id) AS repos,
    COALESCE(SUM(push_distinct_size), 0) AS commits,
    MIN(event_at) AS first_event_at,
    MAX(event_at) AS last_event_at,
    LOGICAL_OR(COALESCE(is_bot, FALSE)) AS is_bot
FROM staging.stg_github__events
WHERE
    landing_hour = @landing_hour
    AND actor_login IS NOT NULL
GROUP BY actor_login
ORDER BY entity
