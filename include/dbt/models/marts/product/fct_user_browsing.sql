{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["visitor_id"],
        labels={"managed_by": "hourglass", "table_type": "mart", "source": "clickstream"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with clicks as (
    select
        event_date,
        event_at,
        event_type,
        session_id,
        channel,
        product_id,
        product_category,
        -- Whoever logs in during a visit is known for all of it.
        coalesce(max(user_id) over (partition by event_date, session_id), anonymous_id) as visitor_id,
        max(user_id) over (partition by event_date, session_id) is not null as is_known
    from {{ ref("fct_events") }}
    where
        {{ event_dates_predicate(event_dates) }}
        and event_source = 'clickstream'
),

visits as (
    select
        event_date,
        visitor_id,
        session_id,
        timestamp_diff(max(event_at), min(event_at), second) as seconds
    from clicks
    group by event_date, visitor_id, session_id
),

times as (
    select
        event_date,
        visitor_id,
        count(*) as `sessions`,
        sum(seconds) as browsing_seconds
    from visits
    group by event_date, visitor_id
),

browsing as (
    select
        event_date,
        visitor_id,
        logical_or(is_known) as is_known,
        countif(event_type = 'page_view') as page_views,
        countif(event_type = 'product_view') as product_views,
        count(distinct product_id) as products,
        count(distinct product_category) as categories,
        countif(event_type = 'add_to_cart') as cart_additions,
        countif(event_type = 'purchase') as purchases,
        count(distinct channel) as devices,
        min(event_at) as first_event_at,
        max(event_at) as last_event_at
    from clicks
    group by event_date, visitor_id
)

select
    {{ surrogate_key(["browsing.event_date", "browsing.visitor_id"]) }} as browsing_key,
    browsing.event_date,
    browsing.visitor_id,
    browsing.is_known,
    times.sessions,
    times.browsing_seconds,
    browsing.page_views,
    browsing.product_views,
    browsing.products,
    browsing.categories,
    browsing.cart_additions,
    browsing.purchases,
    browsing.devices,
    browsing.first_event_at,
    browsing.last_event_at
from browsing
inner join times
    on
        browsing.event_date = times.event_date
        and browsing.visitor_id = times.visitor_id
