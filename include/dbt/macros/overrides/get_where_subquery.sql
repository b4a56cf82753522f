{#
  Lets a test's `where` say which partitions it reads: __event_dates__ stands for the event dates of the
  run, __landing_hours_SOURCE__ for the landing hours that hold them. A test without one of the two would
  read 400 days of a table every hour, and fail anyway on tables that require a partition filter.
#}
{% macro bigquery__get_where_subquery(relation) %}
    {%- set where = config.get("where", "") -%}
    {%- if not where -%}
        {{ return(relation) }}
    {%- endif -%}
    {%- set dates = hourglass_event_dates() -%}
    {%- set resolved = namespace(sql=where | replace("__event_dates__", event_dates_predicate(dates))) -%}
    {%- for source_name in var("max_lateness_days") -%}
        {%- set resolved.sql = resolved.sql | replace(
            "__landing_hours_" ~ source_name ~ "__", landing_hours_for(dates, source_name)
        ) -%}
    {%- endfor -%}
    {{ return("(select * from " ~ relation ~ " where " ~ resolved.sql ~ ") as dbt_subquery") }}
{% endmacro %}
