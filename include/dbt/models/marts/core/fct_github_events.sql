{{
    config(
        tags=["github"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["event_type", "repo_id", "actor_id"],
        labels={"managed_by": "hourglass", "table_type": "mart", "source": "github"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with landed as (
    select *
    from {{ ref("stg_github__events") }}
    where
        {{ landing_hours_for(event_dates, "github") }}
        and {{ event_dates_predicate(event_dates) }}
),

-- An event that was delivered again in a later partition counts where it landed first. Ranked within its
-- event date, so that a date's rows depend on that date's events alone, in whatever order hours are run.
ranked as (
    select
        *,
        row_number() over (
            partition by event_date, event_id
            order by landing_hour, source_object, source_line
        ) as delivery
    from landed
)

select
    {{ surrogate_key(["event_date", "event_id"]) }} as event_key,
    event_id,
    event_date,
    event_at,
    event_type,
    action,
    actor_id,
    actor_login,
    is_bot,
    repo_id,
    repo_name,
    repo_owner,
    org_id,
    org_login,
    is_public,
    ref,
    ref_type,
    push_size,
    push_distinct_size,
    subject_number,
    landing_hour,
    source_object,
    source_line
from ranked
where delivery = 1
