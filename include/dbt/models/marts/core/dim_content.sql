{{
    config(
        tags=["daily"],
        cluster_by=["content_id"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "dimension", "platform": "photo_sharing"},
    )
}}

-- Photos as they were posted last, and those that were only looked at.
with days as (
    select *
    from {{ ref("int_content_daily") }}
    where {{ every_partition(ref("int_content_daily")) }}
),

seen as (
    select
        content_id,
        min(first_posted_at) as posted_at,
        min(first_seen_at) as first_seen_at,
        max(last_seen_at) as last_seen_at
    from days
    group by content_id
),

posts as (
    select *
    from days
    where last_posted_at is not null
    qualify row_number() over (partition by content_id order by last_posted_at desc, event_date desc) = 1
)

select
    {{ surrogate_key(["seen.content_id"]) }} as content_key,
    seen.content_id,
    posts.creator_id,
    posts.content_text,
    seen.posted_at,
    date(seen.posted_at) as posted_date,
    seen.first_seen_at,
    seen.last_seen_at
from seen
left join posts on seen.content_id = posts.content_id
