{# Fails for every event date at hand that `to` has and the model lacks: the layer below is ahead of this one. #}
{% test has_the_dates_of(model, to) %}
select distinct fresh.event_date
from {{ to }} as fresh
left join (select distinct event_date from {{ model }}) as present on fresh.event_date = present.event_date
where {{ event_dates_predicate(hourglass_event_dates(), "fresh.event_date") }} and present.event_date is null
{% endtest %}
