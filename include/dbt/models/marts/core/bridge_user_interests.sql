{{
    config(
        tags=["daily"],
        cluster_by=["user_id", "tag"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "bridge", "platform": "photo_sharing"},
    )
}}

-- How a user's engagements spread over the tags of what they engaged with: together the tags weigh 1.
with engagements as (
    select
        user_id,
        content_id,
        sum(engagements) as engagements
    from {{ ref("int_user_content_daily") }}
    where {{ every_partition(ref("int_user_content_daily")) }}
    group by user_id, content_id
),

weighed as (
    select
        engagements.user_id,
        tags.tag,
        sum(engagements.engagements) as engagements,
        sum(engagements.engagements * cast(tags.weight as numeric)) as interest
    from engagements
    inner join {{ ref("bridge_content_tags") }} as tags on engagements.content_id = tags.content_id
    where engagements.engagements > 0
    group by engagements.user_id, tags.tag
)

select
    {{ surrogate_key(["user_id", "tag"]) }} as user_interest_key,
    user_id,
    tag,
    engagements,
    cast(interest as float64) / cast(sum(interest) over (partition by user_id) as float64) as weight
from weighed
