{#
  Fails for every key of whose rows the sum of `column` is not that of `total` in another table: the items of an order
  and what the order comes to, the payments of a day and its revenue. A key that only one of the tables has fails too.
  Both sides read the run's event dates only.

  `by` are the columns of the key, the same in both, event_date among them; `tolerance` is how far the sums may differ.
#}
{% test adds_up_to(model, column, to, total, by, to_where="true", tolerance=0) %}
with summed as (
    select
        {{ by | join(", ") }},
        sum({{ column }}) as summed
    from {{ model }}
    group by {{ by | join(", ") }}
),

wholes as (
    select
        {{ by | join(", ") }},
        sum({{ total }}) as whole
    from {{ to }}
    where {{ event_dates_predicate(hourglass_event_dates()) }} and {{ to_where }}
    group by {{ by | join(", ") }}
)

select
    {{ by | join(", ") }},
    summed.summed,
    wholes.whole
from summed
full join wholes using ({{ by | join(", ") }})
where (abs(summed.summed - wholes.whole) <= {{ tolerance }}) is not true
{% endtest %}
