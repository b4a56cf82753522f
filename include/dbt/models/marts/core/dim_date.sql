{{
    config(
        tags=["daily"],
        cluster_by=["date_day"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "dimension", "platform": "photo_sharing"},
    )
}}

select
    cast(format_date('%Y%m%d', date_day) as int64) as date_key,
    date_day,
    extract(year from date_day) as year,
    extract(quarter from date_day) as quarter_of_year,
    extract(month from date_day) as month,
    format_date('%B', date_day) as month_name,
    extract(isoyear from date_day) as iso_year,
    extract(isoweek from date_day) as iso_week,
    extract(day from date_day) as day_of_month,
    extract(dayofyear from date_day) as day_of_year,
    -- BigQuery's week begins on Sunday with 1; here it begins on Monday, as ISO 8601 has it.
    mod(extract(dayofweek from date_day) + 5, 7) + 1 as day_of_week,
    format_date('%A', date_day) as day_name,
    extract(dayofweek from date_day) in (1, 7) as is_weekend,
    date_trunc(date_day, month) as month_start_date,
    last_day(date_day, month) as month_end_date
from unnest(generate_date_array(date '2020-01-01', date '2030-12-31')) as date_day
