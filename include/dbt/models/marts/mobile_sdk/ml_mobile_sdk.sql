-- Generated from sources/mobile_sdk.yaml by hourglass compile; delete this line to own it (ad6334cf02b6)
with ranked as (
    select
        *,
        row_number() over (
            partition by event_id
            order by event_timestamp desc, landing_hour desc, source_object desc, source_line desc
        ) as age
    from {{ ref("stg_mobile_sdk__mobile_sdk") }}
    where landing_hour >= timestamp '1970-01-01 00:00:00+00'
)

select
    event_id,
    event_timestamp,
    event_type,
    user_id,
    session_id,
    content_id,
    user_properties_ltv,
    user_properties_age_group,
    user_properties_country,
    user_properties_email_domain,
    device_os,
    device_os_version,
    device_model,
    device_category,
    location_country,
    location_region,
    location_city,
    engagement_duration,
    interaction_count,
    event_revenue,
    user_segment,
    landing_hour,
    event_date
from ranked
where age = 1
