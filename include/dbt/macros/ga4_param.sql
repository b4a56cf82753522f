{# A parameter of a GA4 event (or with `list` a user property), from the field of its type: string, int or double. #}
{% macro ga4_param(key, type="string", list="event_params") -%}
    (select value.{{ type }}_value from unnest({{ list }}) where key = '{{ key }}')
{%- endmacro %}
