-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
{{ sdk_events_of("ios") }}
