{# The day from which the SDK's events count in place of Google Analytics'. #}
{% macro ga4_cut_over() -%}
    date '2024-06-01'
{%- endmacro %}


{# The SDK's events that one operating system sent. #}
{% macro sdk_events_of(os) %}
select
    event_id,
    event_timestamp as event_at,
    event_type,
    user_id,
    session_id as client_session_id,
    content_id,
    device_os_version,
    device_model,
    device_category,
    location_country,
    location_region,
    location_city,
    engagement_duration as engagement_seconds,
    interaction_count,
    event_revenue,
    user_segment,
    landing_hour,
    event_date
from {{ ref("stg_mobile_sdk__mobile_sdk") }}
where device_os = '{{ os }}'
{% endmacro %}


{# The key of a place as dim_location has it: the finest level that is known; null where no country is. #}
{% macro location_key(country, region, city) -%}
    if(
        {{ country }} is null,
        null,
        farm_fingerprint(concat(
            {{ country }}, '|', coalesce({{ region }}, ''), '|', if({{ region }} is null, '', coalesce({{ city }}, ''))
        ))
    )
{%- endmacro %}


{# A calendar that plays one role, such as event or session: dim_date with the role before each column. #}
{% macro date_role(role) %}
select
    date_key as {{ role }}_date_key,
    date_day as {{ role }}_date,
    year as {{ role }}_year,
    quarter_of_year as {{ role }}_quarter,
    month as {{ role }}_month,
    month_name as {{ role }}_month_name,
    iso_week as {{ role }}_iso_week,
    day_of_week as {{ role }}_day_of_week,
    day_name as {{ role }}_day_name,
    is_weekend as {{ role }}_is_weekend
from {{ ref("dim_date") }}
{% endmacro %}


{# The SDK's type of a Google Analytics event; null for what only Google Analytics knows, such as session_start. #}
{% macro ga4_event_type() -%}
    case event_name
        when 'screen_view' then 'view'
        when 'page_view' then 'view'
        when 'select_content' then 'click'
        when 'like' then 'react'
        when 'share' then 'share'
        when 'post_photo' then 'post'
    end
{%- endmacro %}
