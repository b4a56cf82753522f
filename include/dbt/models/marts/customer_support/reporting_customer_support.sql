-- Generated from sources/customer_support.yaml by hourglass compile; delete this line to own it (8e8ffc68fb12)
select
    category,
    channel,
    date,
    tickets,
    solved,
    mean_first_response_minutes,
    mean_satisfaction_score
from {{ ref("gold_customer_support") }}
