{# Fails for every row for which the SQL expression is not true (null counts as not true). #}
{% test holds(model, expression) %}
select *
from {{ model }}
where ({{ expression }}) is not true
{% endtest %}
