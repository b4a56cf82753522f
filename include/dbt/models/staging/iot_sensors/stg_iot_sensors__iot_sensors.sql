-- Generated from sources/iot_sensors.yaml by hourglass compile; delete this line to own it (c6e5c59319ab)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    message_id,
    device_id,
    sensor_type,
    reading,
    unit,
    event_timestamp,
    sequence,
    battery_level,
    signal_strength_dbm,
    firmware_version,
    site_id,
    location.latitude as location_latitude,
    location.longitude as location_longitude,
    location.floor as location_floor,
    battery_is_low,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("iot_sensors", "iot_sensors") }}
