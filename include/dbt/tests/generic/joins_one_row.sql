{#
  Fails for every key of a joined table that more than one of its rows has: the join would multiply rows.
  Attached to the model that joins, so that it runs with it.
#}
{% test joins_one_row(model, to, columns, to_where="true") %}
select
    {{ columns | join(", ") }},
    count(*) as row_count
from {{ to }}
where {{ every_partition(to) }} and {{ to_where }}
group by {{ columns | join(", ") }}
having count(*) > 1
{% endtest %}
