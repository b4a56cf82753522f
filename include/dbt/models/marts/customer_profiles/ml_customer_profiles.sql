-- Generated from sources/customer_profiles.yaml by hourglass compile; delete this line to own it (e49021385fc0)
with ranked as (
    select
        *,
        row_number() over (
            partition by customer_id
            order by exported_at desc, landing_hour desc, source_object desc, source_line desc
        ) as age
    from {{ ref("stg_customer_profiles__customer_profiles") }}
    where landing_hour >= timestamp '1970-01-01 00:00:00+00'
)

select
    customer_id,
    address_city,
    address_region,
    address_country,
    segment,
    marketing_opt_in,
    preferred_channel,
    signup_date,
    lifetime_value,
    updated_at,
    exported_at,
    age_group,
    landing_hour,
    event_date
from ranked
where age = 1
