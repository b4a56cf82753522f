{# Fails for every key of the model that no row of the joined table has. #}
{% test found_in(model, to, columns, to_where="true") %}
with children as (
    select distinct {{ columns | join(", ") }}
    from {{ model }}
    where true
    {%- for column in columns %}
        and {{ column }} is not null
    {%- endfor %}
),

parents as (
    select distinct {{ columns | join(", ") }}, true as is_there
    from {{ to }}
    where {{ every_partition(to) }} and {{ to_where }}
)

select children.*
from children
left join parents using ({{ columns | join(", ") }})
where parents.is_there is null
{% endtest %}
