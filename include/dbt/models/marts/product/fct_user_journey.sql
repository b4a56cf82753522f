{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["product_category", "user_id"],
        meta={"recomputes": {"before": 1, "after": 1}},
        labels={"managed_by": "hourglass", "table_type": "mart", "source": "clickstream"},
    )
}}

{%- set event_dates = recomputed_dates() %}

-- A visit may run over midnight: the days around a date are read with it.
with clicks as (
    select
        session_id,
        product_category,
        user_id,
        event_at,
        case event_type when 'product_view' then 1 when 'add_to_cart' then 2 when 'begin_checkout' then 3 else 4 end as step
    from {{ ref("fct_events") }}
    where
        {{ event_dates_predicate(event_dates_around(event_dates, 1, 1)) }}
        and event_source = 'clickstream'
        and product_category is not null
),

journeys as (
    select
        session_id,
        product_category,
        date(min(event_at)) as event_date,
        max(user_id) as user_id,
        min(event_at) as started_at,
        max(event_at) as ended_at,
        min(if(step = 4, event_at, null)) as purchased_at,
        max(step) as furthest_step,
        count(*) as steps
    from clicks
    group by session_id, product_category
)

-- A step counts as reached when it or a later one was taken.
select
    {{ surrogate_key(["session_id", "product_category"]) }} as journey_key,
    event_date,
    session_id,
    product_category,
    user_id,
    started_at,
    ended_at,
    purchased_at,
    steps,
    furthest_step,
    furthest_step >= 2 as reached_cart,
    furthest_step >= 3 as reached_checkout,
    furthest_step = 4 as reached_purchase,
    timestamp_diff(purchased_at, started_at, second) as seconds_to_purchase
from journeys
where {{ event_dates_predicate(event_dates) }}
