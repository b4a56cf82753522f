{{
    config(
        tags=["mobile_sdk"],
        labels={"managed_by": "hourglass", "table_type": "staging", "source": "mobile_sdk"},
    )
}}

-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
{{ sdk_events_of("android") }}
