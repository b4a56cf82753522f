{{
    config(
        tags=["daily"],
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        cluster_by=["user_id"],
        meta={"recomputes": {"before": 0, "after": 15}},
        labels={"managed_by": "hourglass", "table_type": "training", "platform": "photo_sharing"},
    )
}}

{{ photo_interest(
    users=["sessions_1d", "events_7d", "views_7d", "active_days_7d", "interaction_rate_7d"],
    photos=none,
    max_age_days=7,
) }}
