{#
  The query by which dbt learns a model's columns for its contract: no rows, nothing billed. A view that
  passes a table through which requires a partition filter names that column in meta.partition_column;
  BigQuery refuses even a query for no rows without it.
#}
{% macro bigquery__get_empty_subquery_sql(select_sql, select_sql_header=none) %}
    {%- if select_sql_header is not none -%}
        {{ select_sql_header }}
    {%- endif -%}
    {%- set column = (model.config.get("meta") or {}).get("partition_column") -%}
    select * from (
        {{ select_sql }}
    ) as empty_subquery
    where
        false
        {#- BigQuery caches nothing that depends on the time, and a cached answer has no column modes #}
        and current_timestamp() = current_timestamp()
        {%- if column %}
        and {{ column }} = {{ model.columns[column].data_type }} '0001-01-01'
        {%- endif %}
    limit 0
{% endmacro %}
