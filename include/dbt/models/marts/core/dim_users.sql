{{
    config(
        tags=["daily"],
        cluster_by=["user_id"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "dimension", "platform": "photo_sharing"},
    )
}}

-- One version for each run of days on which nothing changed, from the set of what the days' events told: the same
-- versions whatever the order in which the days were run.
with states as (
    select
        event_date,
        user_id,
        user_segment,
        age_group,
        country,
        email_domain,
        username,
        to_json_string(struct(user_segment, age_group, country, email_domain, username)) as state
    from {{ ref("int_user_states_daily") }}
    where {{ every_partition(ref("int_user_states_daily")) }}
),

compared as (
    select
        *,
        lag(state) over (partition by user_id order by event_date) as previous_state
    from states
),

versions as (
    select
        *,
        row_number() over (partition by user_id order by event_date) as version,
        lead(event_date) over (partition by user_id order by event_date) as valid_to_date
    from compared
    where previous_state is null or previous_state != state
)

select
    {{ surrogate_key(["user_id", "version"]) }} as user_key,
    user_id,
    version,
    event_date as valid_from_date,
    valid_to_date,
    valid_to_date is null as is_current,
    user_segment,
    age_group,
    country,
    email_domain,
    username
from versions
