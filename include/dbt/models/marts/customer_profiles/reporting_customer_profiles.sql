-- Generated from sources/customer_profiles.yaml by hourglass compile; delete this line to own it (ae3596c69bb1)
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
from {{ ref("stg_customer_profiles__customer_profiles") }}
