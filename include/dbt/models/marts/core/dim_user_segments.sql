{{
    config(
        tags=["daily"],
        cluster_by=["segment", "user_id"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "dimension", "source": "clickstream_transactions"},
    )
}}

with customers as (
    select
        customer_id as user_id,
        segment as profile_segment,
        address_country as country
    from {{ ref("dim_customers_scd2") }}
    where is_current
),

browsers as (
    select
        visitor_id as user_id,
        sum(product_views) as product_views,
        sum(sessions) as browsing_sessions,
        max(event_date) as last_browsed_date
    from {{ ref("fct_user_browsing") }}
    where {{ every_partition(ref("fct_user_browsing")) }} and is_known
    group by visitor_id
),

buyers as (
    select
        user_id,
        frequency,
        recency_score,
        frequency_score,
        monetary_score
    from {{ ref("fct_user_purchases") }}
),

people as (
    select user_id from customers
    union distinct
    select user_id from browsers
    union distinct
    select user_id from buyers
)

select
    {{ surrogate_key(["people.user_id"]) }} as user_segment_key,
    people.user_id,
    case
        when buyers.user_id is null and browsers.user_id is null then 'silent'
        when buyers.user_id is null then 'browser'
        when buyers.recency_score >= 4 and buyers.frequency_score >= 4 then 'champion'
        when buyers.frequency_score >= 4 and buyers.recency_score <= 2 then 'at_risk'
        when buyers.frequency_score >= 4 then 'loyal'
        when buyers.recency_score >= 4 then 'recent'
        when buyers.recency_score = 1 then 'lost'
        else 'occasional'
    end as segment,
    coalesce(buyers.monetary_score = 5, false) as is_big_spender,
    customers.profile_segment,
    customers.country,
    coalesce(buyers.frequency, 0) as purchases,
    coalesce(browsers.browsing_sessions, 0) as browsing_sessions,
    coalesce(browsers.product_views, 0) as product_views,
    browsers.last_browsed_date
from people
left join customers on people.user_id = customers.user_id
left join browsers on people.user_id = browsers.user_id
left join buyers on people.user_id = buyers.user_id
