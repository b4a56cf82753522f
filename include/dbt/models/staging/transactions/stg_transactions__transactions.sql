-- Generated from sources/transactions.yaml by hourglass compile; delete this line to own it (325185a7ebd0)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    transaction_id,
    transaction_timestamp,
    customer_id,
    product_id,
    quantity,
    unit_price,
    discount,
    amount,
    payment_method,
    card_last4,
    status,
    channel,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("transactions", "transactions") }}
