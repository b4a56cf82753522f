{# A model's schema is its BigQuery dataset as written, without the target's name in front. #}
{% macro generate_schema_name(custom_schema_name, node) %}
    {{ return((custom_schema_name or target.schema) | trim) }}
{% endmacro %}
