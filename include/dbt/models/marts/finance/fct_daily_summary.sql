{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        labels={"managed_by": "hourglass", "table_type": "mart", "source": "clickstream_transactions"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with events as (
    select
        *,
        if(payment_status = 'completed', amount, 0) as paid,
        if(payment_status = 'refunded', amount, 0) as paid_back
    from {{ ref("fct_events") }}
    where {{ event_dates_predicate(event_dates) }}
)

select
    event_date,
    count(*) as `events`,
    countif(event_type = 'page_view') as page_views,
    countif(event_type = 'product_view') as product_views,
    countif(event_type = 'add_to_cart') as cart_additions,
    countif(event_type = 'begin_checkout') as checkouts,
    countif(event_type = 'purchase') as purchases,
    count(distinct session_id) as `sessions`,
    count(distinct anonymous_id) as visitors,
    count(distinct if(event_source = 'clickstream', user_id, null)) as known_visitors,
    countif(event_type = 'transaction') as transactions,
    countif(payment_status = 'completed') as completed_transactions,
    countif(payment_status = 'refunded') as refunded_transactions,
    countif(payment_status = 'failed') as failed_transactions,
    count(distinct if(payment_status = 'completed', user_id, null)) as buyers,
    cast(coalesce(sum(paid), 0) as numeric) as revenue,
    cast(coalesce(sum(paid_back), 0) as numeric) as refunded_amount,
    cast(round(safe_divide(sum(paid), countif(payment_status = 'completed')), 2) as numeric) as average_transaction,
    safe_divide(
        count(distinct if(event_type = 'purchase', session_id, null)), count(distinct session_id)
    ) as session_conversion
from events
group by event_date
