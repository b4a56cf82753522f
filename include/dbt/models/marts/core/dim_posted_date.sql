{{
    config(
        tags=["daily"],
        materialized="view",
        labels={"managed_by": "hourglass", "table_type": "dimension", "platform": "photo_sharing"},
    )
}}

{{ date_role("posted") }}
