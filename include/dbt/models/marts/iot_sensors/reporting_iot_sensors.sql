-- Generated from sources/iot_sensors.yaml by hourglass compile; delete this line to own it (cfa9b9a3613c)
select
    event_date,
    device_id,
    window_start,
    readings,
    average_reading,
    lowest_reading,
    highest_reading,
    lowest_battery_level
from {{ ref("gold_iot_sensors") }}
