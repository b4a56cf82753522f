{{
    config(
        tags=["daily"],
        materialized="view",
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "dimension", "platform": "photo_sharing"},
    )
}}

select date_day
from {{ ref("dim_date") }}
