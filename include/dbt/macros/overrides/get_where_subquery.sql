{#
  Lets a test's `where` say which partitions it reads: __event_dates__ stands for the event dates of the
  run, __event_dates_of_COLUMN__ for the same where the date's column has another name, and
  __landing_hours_SOURCE__ for the landing hours that hold them. A test without one of these would read 400 days
  of a table every hour, and fail anyway on tables that require a partition filter.
#}
{% macro bigquery__get_where_subquery(relation) %}
    {%- set where = config.get("where", "") -%}
    {%- if not where -%}
        {{ return(relation) }}
    {%- endif -%}
    {%- set dates = hourglass_event_dates() -%}
    {%- set resolved = namespace(sql=where | replace("__event_dates__", event_dates_predicate(dates))) -%}
    {%- for column in modules.re.findall("__event_dates_of_(\\w+?)__", where) -%}
        {%- set resolved.sql = resolved.sql | replace(
            "__event_dates_of_" ~ column ~ "__", event_dates_predicate(dates, "`" ~ column ~ "`")
        ) -%}
    {%- endfor -%}
    {%- for source_name in modules.re.findall("__landing_hours_(\\w+?)__(?!\\w)", where) -%}
        {%- set resolved.sql = resolved.sql | replace(
            "__landing_hours_" ~ source_name ~ "__", landing_hours_for(dates, source_name)
        ) -%}
    {%- endfor -%}
    {{ return("(select * from " ~ relation ~ " where " ~ resolved.sql ~ ") as dbt_subquery") }}
{% endmacro %}
