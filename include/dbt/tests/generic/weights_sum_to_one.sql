{# Fails for every key of a bridge whose weights do not sum to 1, or are not shares. #}
{% test weights_sum_to_one(model, key, weight="weight") %}
select
    {{ key | join(", ") }},
    sum({{ weight }}) as total
from {{ model }}
group by {{ key | join(", ") }}
having abs(sum({{ weight }}) - 1) > 1e-6 or min({{ weight }}) <= 0
{% endtest %}
