{{
    config(
        tags=["daily"],
        cluster_by=["content_id", "tag"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "bridge", "platform": "photo_sharing"},
    )
}}

-- The hashtags of a photo, each once: together they weigh 1.
with tagged as (
    select distinct
        content_id,
        lower(tag) as tag
    from {{ ref("dim_content") }}, unnest(regexp_extract_all(content_text, r'#([A-Za-z0-9_]+)')) as tag
)

select
    {{ surrogate_key(["content_id", "tag"]) }} as content_tag_key,
    content_id,
    tag,
    1 / count(*) over (partition by content_id) as weight
from tagged
