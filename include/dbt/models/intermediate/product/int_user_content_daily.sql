{{
    config(
        tags=["daily"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        require_partition_filter=true,
        partition_expiration_days=400,
        cluster_by=["user_id", "content_id"],
        labels={"managed_by": "hourglass", "table_type": "intermediate", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}

select
    event_date,
    user_id,
    content_id,
    countif(event_type != 'post') as engagements,
    countif(event_type = 'view') as views,
    countif(event_type in ('click', 'react', 'share')) as interactions,
    countif(event_type = 'share') as shares,
    countif(event_type = 'post') as posts,
    coalesce(sum(engagement_seconds), 0) as engagement_seconds
from {{ ref("fct_user_engagement") }}
where
    {{ event_dates_predicate(event_dates) }}
    and content_id is not null
group by event_date, user_id, content_id
