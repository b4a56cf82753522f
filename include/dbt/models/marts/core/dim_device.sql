{{
    config(
        tags=["daily"],
        cluster_by=["device_os", "device_model"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "dimension", "platform": "photo_sharing"},
    )
}}

-- The last that was told of a device.
with days as (
    select *
    from {{ ref("int_devices_daily") }}
    where {{ every_partition(ref("int_devices_daily")) }}
)

select
    device_key,
    device_os,
    device_model,
    device_category,
    device_os_version as last_os_version,
    min(event_date) over (partition by device_key) as first_seen_date,
    event_date as last_seen_date
from days
qualify row_number() over (partition by device_key order by event_date desc) = 1
