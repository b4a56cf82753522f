{{
    config(
        tags=["daily"],
        cluster_by=["user_id"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "mart", "source": "transactions"},
    )
}}

with purchases as (
    select
        user_id,
        event_at,
        event_date,
        product_category,
        quantity,
        amount,
        max(event_date) over () as as_of_date
    from {{ ref("fct_events") }}
    where
        {{ every_partition(ref("fct_events")) }}
        and payment_status = 'completed'
),

categories as (
    select
        user_id,
        product_category
    from purchases
    where product_category is not null
    group by user_id, product_category
    -- Most pieces; of as many, the first by name.
    qualify row_number() over (partition by user_id order by sum(quantity) desc, product_category asc) = 1
),

buyers as (
    select
        user_id,
        as_of_date,
        min(event_at) as first_purchase_at,
        max(event_at) as last_purchase_at,
        date_diff(as_of_date, max(event_date), day) as recency_days,
        count(*) as frequency,
        cast(sum(amount) as numeric) as monetary,
        sum(quantity) as pieces
    from purchases
    group by user_id, as_of_date
),

-- Fifths of all buyers, 5 the best: who bought last, most often, and for most. Ties by id, so that a rebuild agrees.
scored as (
    select
        *,
        ntile(5) over (order by last_purchase_at, user_id) as recency_score,
        ntile(5) over (order by frequency, user_id) as frequency_score,
        ntile(5) over (order by monetary, user_id) as monetary_score
    from buyers
)

select
    scored.user_id,
    scored.as_of_date,
    scored.first_purchase_at,
    scored.last_purchase_at,
    scored.recency_days,
    scored.frequency,
    scored.monetary,
    scored.pieces,
    cast(round(scored.monetary / scored.frequency, 2) as numeric) as average_amount,
    categories.product_category as favourite_category,
    scored.recency_score,
    scored.frequency_score,
    scored.monetary_score,
    concat(
        cast(scored.recency_score as string),
        cast(scored.frequency_score as string),
        cast(scored.monetary_score as string)
    ) as rfm
from scored
left join categories on scored.user_id = categories.user_id
