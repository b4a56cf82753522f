{{
    config(
        tags=["github"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["repo_id"],
        labels={"managed_by": "hourglass", "table_type": "mart", "source": "github"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with events as (
    select *
    from {{ ref("fct_github_events") }}
    where
        {{ event_dates_predicate(event_dates) }}
        and repo_id is not null
)

select
    {{ surrogate_key(["event_date", "repo_id"]) }} as repo_day_key,
    event_date,
    repo_id,
    -- A repository may be renamed during the day: the last event's name is the day's.
    array_agg(repo_name order by event_at desc, event_id desc limit 1)[offset(0)] as repo_name,
    array_agg(repo_owner order by event_at desc, event_id desc limit 1)[offset(0)] as repo_owner,
    count(*) as events,
    countif(event_type = 'PushEvent') as pushes,
    countif(event_type = 'PullRequestEvent' and action = 'opened') as pull_requests_opened,
    countif(event_type = 'WatchEvent') as stars,
    coalesce(sum(push_distinct_size), 0) as commits,
    count(distinct actor_id) as actors,
    countif(is_bot) as bot_events,
    min(event_at) as first_event_at,
    max(event_at) as last_event_at
from events
group by event_date, repo_id
