{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["product_category"],
        meta={"recomputes": {"before": 1, "after": 1}},
        labels={"managed_by": "hourglass", "table_type": "mart", "source": "clickstream"},
    )
}}

{%- set event_dates = recomputed_dates() %}

select
    event_date,
    product_category,
    count(*) as viewed,
    countif(reached_cart) as added,
    countif(reached_checkout) as checked_out,
    countif(reached_purchase) as purchased,
    countif(reached_cart) / count(*) as cart_rate,
    safe_divide(countif(reached_checkout), countif(reached_cart)) as checkout_rate,
    safe_divide(countif(reached_purchase), countif(reached_checkout)) as purchase_rate,
    countif(reached_purchase) / count(*) as conversion
from {{ ref("fct_user_journey") }}
where {{ event_dates_predicate(event_dates) }}
group by event_date, product_category
