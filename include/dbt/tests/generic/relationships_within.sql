{# Fails for every row of a hierarchy whose parent is no row of the same table. #}
{% test relationships_within(model, parent, key) %}
select children.*
from {{ model }} as children
left join {{ model }} as parents on children.{{ parent }} = parents.{{ key }}
where children.{{ parent }} is not null and parents.{{ key }} is null
{% endtest %}
