{# The labels of a BigQuery job that dbt starts, as the JSON object that job-label expects. #}
{% macro job_labels(node) %}
    {%- set labels = {"managed_by": "hourglass", "hourglass_stage": "transform"} -%}
    {%- if node -%}
        {%- do labels.update({"dbt_node": node.name[:63] | lower, "dbt_resource": node.resource_type}) -%}
    {%- endif -%}
    {{ return(tojson(labels)) }}
{% endmacro %}
