{#
  dbt's `relationships` for tables that require a partition filter: fails for every value that `to` does
  not have in `field` on the same event date. Reads the run's event dates of both tables only.
#}
{% test exists_on_date_in(model, column_name, to, field) %}
with children as (
    select
        event_date,
        {{ column_name }} as child_value
    from {{ model }}
    where {{ column_name }} is not null
),

parents as (
    select distinct
        event_date,
        {{ field }} as parent_value
    from {{ to }}
    where {{ event_dates_predicate(hourglass_event_dates()) }}
)

select
    children.event_date,
    children.child_value
from children
left join parents
    on
        children.event_date = parents.event_date
        and children.child_value = parents.parent_value
where parents.parent_value is null
{% endtest %}
