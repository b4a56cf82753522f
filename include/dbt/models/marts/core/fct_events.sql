{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id", "event_type"],
        labels={"managed_by": "hourglass", "table_type": "mart", "source": "clickstream_transactions"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

with clicks as (
    select *
    from {{ ref("stg_clickstream__clickstream") }}
    where
        {{ landing_hours_for(event_dates, "clickstream") }}
        and {{ event_dates_predicate(event_dates) }}
    qualify
        row_number() over (
            partition by event_date, event_id
            order by landing_hour, source_object, source_line
        ) = 1
),

payments as (
    select *
    from {{ ref("stg_transactions__transactions") }}
    where
        {{ landing_hours_for(event_dates, "transactions") }}
        and {{ event_dates_predicate(event_dates) }}
    qualify
        row_number() over (
            partition by event_date, transaction_id
            order by landing_hour, source_object, source_line
        ) = 1
),

events as (
    select
        'clickstream' as event_source,
        event_id,
        event_name as event_type,
        event_date,
        event_timestamp as event_at,
        user_id,
        anonymous_id,
        session_id,
        product_id,
        product_category,
        cast(null as int64) as quantity,
        cast(null as numeric) as amount,
        cast(null as string) as payment_status,
        device_type as channel,
        country,
        campaign,
        landing_hour
    from clicks
    union all
    select
        'transactions' as event_source,
        payments.transaction_id as event_id,
        'transaction' as event_type,
        payments.event_date,
        payments.transaction_timestamp as event_at,
        payments.customer_id as user_id,
        cast(null as string) as anonymous_id,
        cast(null as string) as session_id,
        payments.product_id,
        catalog.category as product_category,
        payments.quantity,
        payments.amount,
        payments.status as payment_status,
        payments.channel,
        cast(null as string) as country,
        cast(null as string) as campaign,
        payments.landing_hour
    from payments
    left join {{ ref("product_catalog") }} as catalog on payments.product_id = catalog.product_id
)

select
    {{ surrogate_key(["event_source", "event_date", "event_id"]) }} as event_key,
    event_source,
    event_id,
    event_type,
    event_date,
    event_at,
    user_id,
    anonymous_id,
    session_id,
    product_id,
    product_category,
    quantity,
    amount,
    payment_status,
    channel,
    country,
    campaign,
    landing_hour
from events
