{{
    config(
        tags=["daily"],
        cluster_by=["location_level", "country"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "dimension", "platform": "photo_sharing"},
    )
}}

-- Every place, and every place that it lies in: a country's regions, a region's cities.
with places as (
    select distinct
        location_country as country,
        location_region as region,
        location_city as city
    from {{ ref("int_locations_daily") }}
    where {{ every_partition(ref("int_locations_daily")) }}
),

levels as (
    select distinct
        'country' as location_level,
        country,
        cast(null as string) as region,
        cast(null as string) as city
    from places
    union all
    select distinct
        'region' as location_level,
        country,
        region,
        cast(null as string) as city
    from places
    where region is not null
    union all
    select distinct
        'city' as location_level,
        country,
        region,
        city
    from places
    where city is not null
)

select
    {{ location_key("country", "region", "city") }} as location_key,
    location_level,
    case location_level
        when 'region' then {{ location_key("country", "cast(null as string)", "cast(null as string)") }}
        when 'city' then {{ location_key("country", "region", "cast(null as string)") }}
    end as parent_location_key,
    coalesce(city, region, country) as location_name,
    concat(country, coalesce(concat(' > ', region), ''), coalesce(concat(' > ', city), '')) as location_path,
    country,
    region,
    city
from levels
