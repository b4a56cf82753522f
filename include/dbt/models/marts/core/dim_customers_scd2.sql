{{
    config(
        tags=["daily"],
        cluster_by=["customer_id"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "dimension", "source": "customer_profiles"},
    )
}}

{#- What makes a new version when it changes. -#}
{%- set tracked = [
    "segment", "marketing_opt_in", "preferred_channel", "address_city", "address_region", "address_country",
    "signup_date", "lifetime_value",
] %}

-- The states that silver still has, and those that only the snapshot remembers.
with states as (
    select
        customer_id,
        updated_at,
        {{ tracked | join(",\n        ") }},
        0 as is_remembered,
        landing_hour,
        source_object,
        source_line
    from {{ ref("stg_customer_profiles__customer_profiles") }}
    where {{ landing_hours_for(none, "customer_profiles") }}
    union all
    select
        customer_id,
        updated_at,
        {{ tracked | join(",\n        ") }},
        1 as is_remembered,
        cast(null as timestamp) as landing_hour,
        cast(null as string) as source_object,
        cast(null as int64) as source_line
    from {{ ref("customer_profiles_history") }}
),

-- The same state is in every export until the next change: it counts as it landed first.
distinct_states as (
    select
        *,
        to_json_string(struct({{ tracked | join(", ") }})) as tracked_values
    from states
    qualify
        row_number() over (
            partition by customer_id, updated_at
            order by is_remembered, landing_hour, source_object, source_line
        ) = 1
),

compared as (
    select
        *,
        lag(tracked_values) over (partition by customer_id order by updated_at) as tracked_values_before
    from distinct_states
),

changes as (
    select * from compared
    where tracked_values_before is null or tracked_values != tracked_values_before
),

versions as (
    select
        *,
        lead(updated_at) over (partition by customer_id order by updated_at) as valid_to,
        row_number() over (partition by customer_id order by updated_at) as `version`
    from changes
)

select
    {{ surrogate_key(["customer_id", "version"]) }} as customer_key,
    customer_id,
    version,
    updated_at as valid_from,
    valid_to,
    valid_to is null as is_current,
    if(valid_to is null, cast(null as string), 'UPDATE') as closed_by,
    {{ tracked | join(",\n    ") }}
from versions
