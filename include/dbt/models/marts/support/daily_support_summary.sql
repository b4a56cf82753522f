{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["category"],
        labels={"managed_by": "hourglass", "table_type": "mart", "source": "customer_support"},
    )
}}

{%- set event_dates = hourglass_event_dates() %}

select
    event_date,
    category,
    count(*) as tickets,
    count(distinct customer_id) as customers,
    countif(priority = 'urgent') as urgent_tickets,
    countif(status in ('solved', 'closed')) as solved_tickets,
    countif(resolution_minutes <= 1440) as solved_within_a_day,
    countif(status in ('solved', 'closed')) / count(*) as solved_share,
    avg(first_response_minutes) as mean_first_response_minutes,
    avg(resolution_minutes) as mean_resolution_minutes,
    avg(satisfaction_score) as mean_satisfaction_score
from {{ ref("fct_support_tickets") }}
where {{ event_dates_predicate(event_dates) }}
group by event_date, category
