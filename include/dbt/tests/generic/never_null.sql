{# Fails for every row in which one of the columns is null, and says which. #}
{% test never_null(model, columns) %}
select
    concat(
    {%- for column in columns %}
        if({{ column }} is null, '{{ column | replace("`", "") }} ', ''){{ "," if not loop.last }}
    {%- endfor %}
    ) as null_columns
from {{ model }}
where
    {%- for column in columns %}
    {{ "or " if not loop.first }}{{ column }} is null
    {%- endfor %}
{% endtest %}
