{{
    config(
        tags=["daily"],
        materialized="incremental",
        incremental_strategy="insert_overwrite",
        on_schema_change="fail",
        partition_by={"field": "event_date", "data_type": "date", "granularity": "day"},
        require_partition_filter=true,
        partition_expiration_days=none,
        cluster_by=["location_country"],
        labels={"managed_by": "hourglass", "table_type": "intermediate", "platform": "photo_sharing"},
    )
}}

{%- set event_dates = recomputed_dates() %}

select distinct
    event_date,
    location_country,
    location_region,
    if(location_region is null, null, location_city) as location_city
from {{ ref("fct_user_engagement") }}
where
    {{ event_dates_predicate(event_dates) }}
    and location_country is not null
