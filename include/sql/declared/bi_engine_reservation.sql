-- Memory for the dashboards' tables. It costs by the hour from the moment that it is run.
ALTER BI_CAPACITY `{{ project }}.region-us.default`
SET OPTIONS (
    size_gb = 2,
    preferred_tables = [
        '{{ project }}.gold.daily_active_users',
        '{{ project }}.gold.daily_user_metrics',
        '{{ project }}.gold.fct_orders'
    ]
)
