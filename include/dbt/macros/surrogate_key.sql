{# A stable INT64 key from a business key: FARM_FINGERPRINT of its parts, separated, null told from ''. #}
{% macro surrogate_key(columns) %}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- do parts.append("coalesce(cast(" ~ column ~ " as string), '_null_')") -%}
    {%- endfor -%}
    farm_fingerprint(concat({{ parts | join(", '|', ") }}))
{% endmacro %}
