{#
  Fails for every event date whose sum of `column` is not the number of rows that `detail` has on that date:
  an aggregate that lost or doubled rows of the table it was made from. Both sides read the run's event
  dates only.
#}
{% test adds_up_to_rows_of(model, column, detail, detail_where="true") %}
{%- set dates = hourglass_event_dates() -%}
with summed as (
    select
        event_date,
        sum({{ column }}) as total
    from {{ model }}
    group by event_date
),

counted as (
    select
        event_date,
        count(*) as total
    from {{ detail }}
    where {{ event_dates_predicate(dates) }} and {{ detail_where }}
    group by event_date
)

select
    event_date,
    summed.total as summed_total,
    counted.total as counted_total
from summed
full join counted using (event_date)
where coalesce(summed.total, 0) != coalesce(counted.total, 0)
{% endtest %}
