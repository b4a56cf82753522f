{{
    config(
        tags=["mobile_sdk"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id", "event_type"],
        labels={"managed_by": "hourglass", "table_type": "mart", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}

with landed as (
    select *
    from {{ ref("stg_mobile_sdk__mobile_sdk") }}
    where
        {{ landing_hours_for(event_dates, "mobile_sdk") }}
        and {{ event_dates_predicate(event_dates) }}
),

-- An event that was sent again in a later partition counts where it landed first. Ranked within its event date, so
-- that a date's rows depend on that date's events alone, in whatever order hours are run.
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
    event_timestamp as event_at,
    event_type,
    user_id,
    session_id as client_session_id,
    content_id,
    user_segment,
    user_properties_age_group as user_age_group,
    user_properties_country as user_country,
    user_properties_email_domain as user_email_domain,
    user_properties_username as username,
    -- Sums of FLOAT64 depend on the order of the rows, those of NUMERIC do not.
    cast(user_properties_ltv as numeric) as user_ltv,
    if(device_os is null, null, {{ surrogate_key(["device_os", "device_model"]) }}) as device_key,
    device_os,
    device_os_version,
    device_model,
    device_category,
    {{ location_key("location_country", "location_region", "location_city") }} as location_key,
    location_country,
    location_region,
    location_city,
    cast(engagement_duration as numeric) as engagement_seconds,
    interaction_count,
    cast(event_revenue as numeric) as event_revenue,
    post_text,
    landing_hour,
    source_object,
    source_line
from ranked
where delivery = 1
