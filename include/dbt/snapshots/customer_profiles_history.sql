-- A customer's newest profile of the dates at hand. A profile that is not newer than the known one changes nothing, so
-- that a day may run again, and an old day after a new one adds no version.
{% snapshot customer_profiles_history %}

select
    customer_id,
    segment,
    marketing_opt_in,
    preferred_channel,
    age_group,
    address_city,
    address_region,
    address_country,
    signup_date,
    lifetime_value,
    updated_at
from {{ ref("stg_customer_profiles__customer_profiles") }}
where
    {{ landing_hours_for(hourglass_event_dates(), "customer_profiles") }}
    and {{ event_dates_predicate(hourglass_event_dates()) }}
qualify row_number() over (partition by customer_id order by updated_at desc, landing_hour desc) = 1

{% endsnapshot %}
