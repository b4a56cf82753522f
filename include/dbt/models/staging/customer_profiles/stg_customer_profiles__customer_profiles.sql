-- Generated from sources/customer_profiles.yaml by hourglass compile; delete this line to own it (08b2ac2af58f)
-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.
select
    customer_id,
    email,
    first_name,
    last_name,
    phone,
    date_of_birth,
    address.street as address_street,
    address.city as address_city,
    address.region as address_region,
    address.country as address_country,
    segment,
    marketing_opt_in,
    preferred_channel,
    signup_date,
    lifetime_value,
    updated_at,
    exported_at,
    age_group,
    landing_hour,
    event_date,
    source_object,
    source_line,
    unknown_fields
from {{ source("customer_profiles", "customer_profiles") }}
