-- Generated from sources/transactions.yaml by hourglass compile; delete this line to own it (b154255274ed)
select
    customer_id,
    category,
    date,
    total_amount,
    pieces,
    transaction_count,
    refunds,
    last_transaction_at
from {{ ref("gold_transactions") }}
