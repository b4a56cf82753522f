-- Generated from sources/customer_support.yaml by hourglass compile; delete this line to own it (9bc023782e50)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    ticket_id,
    created_at,
    customer_id,
    channel,
    category,
    priority,
    status,
    subject,
    message,
    product_id,
    agent_id,
    first_response_minutes,
    satisfaction_score,
    resolved_at,
    message_length,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("customer_support", "customer_support") }}
