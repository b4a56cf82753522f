{# Whether the command builds a model itself, and not only what is made of it. #}
{% macro is_built_here(relation) %}
    {%- set here = namespace(found=false) -%}
    {%- for node in selected_resources if node.startswith("model.") and node.endswith("." ~ relation.identifier) -%}
        {%- set here.found = true -%}
    {%- endfor -%}
    {{ return(here.found) }}
{% endmacro %}


{# A query for the dates of a table, partitioned by day, whose rows have changed since the command began. #}
{% macro dates_changed_since_the_start(relation) %}
    select parse_date('%Y%m%d', partition_id)
    from `{{ relation.database }}.{{ relation.schema }}.INFORMATION_SCHEMA.PARTITIONS`
    where
        table_name = '{{ relation.identifier }}'
        and regexp_contains(partition_id, r'^[0-9]{8}$')
        and last_modified_time >= timestamp '{{ run_started_at }}'
{% endmacro %}
