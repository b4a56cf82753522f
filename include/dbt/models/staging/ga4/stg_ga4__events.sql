-- A view without window functions or aggregates: a filter on event_date reaches the names of the daily tables.
-- The range leaves out events_intraday_YYYYMMDD, whose rows come again in the day's own table.
select
    safe.parse_date('%Y%m%d', _table_suffix) as event_date,
    timestamp_micros(event_timestamp) as event_at,
    event_name,
    user_pseudo_id,
    user_id,
    {{ ga4_param("ga_session_id", "int") }} as session_id,
    {{ ga4_param("ga_session_number", "int") }} as session_number,
    {{ ga4_param("page_location") }} as page_location,
    {{ ga4_param("page_title") }} as page_title,
    {{ ga4_param("page_referrer") }} as page_referrer,
    {{ ga4_param("engagement_time_msec", "int") }} as engagement_time_ms,
    {{ ga4_param("content_id") }} as content_id,
    event_value_in_usd,
    device.category as device_category,
    device.operating_system,
    device.web_info.browser,
    geo.country,
    geo.region,
    geo.city,
    app_info.version as app_version,
    traffic_source.source as first_source,
    traffic_source.medium as first_medium,
    traffic_source.name as first_campaign,
    platform,
    stream_id,
    ecommerce.transaction_id,
    ecommerce.purchase_revenue_in_usd,
    array_length(items) as item_count,
    event_bundle_sequence_id as bundle_sequence_id
from {{ source("ga4", "events") }}
where _table_suffix between '20000101' and '29991231'
