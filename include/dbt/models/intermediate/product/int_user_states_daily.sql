{{
    config(
        tags=["daily"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        require_partition_filter=true,
        partition_expiration_days=none,
        cluster_by=["user_id"],
        labels={"managed_by": "hourglass", "table_type": "intermediate", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}

-- The last that a day's events tell of a user. Events that know nothing of their user say nothing about them.
select
    event_date,
    user_id,
    user_segment,
    user_age_group as age_group,
    user_country as country,
    user_email_domain as email_domain,
    username,
    event_at as stated_at
from {{ ref("fct_user_engagement") }}
where
    {{ event_dates_predicate(event_dates) }}
    and coalesce(username, user_country, user_age_group, user_email_domain) is not null
qualify row_number() over (partition by event_date, user_id order by event_at desc, event_id desc) = 1
