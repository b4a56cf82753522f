{#
  Fails for every event date at hand whose rows are fewer or more than those of an average day of the `days` before
  it, by more than the share `tolerance`. A date is only judged when `least_days` of these days have rows. The table's
  newest date may not be over: only too many rows are odd there.

  `history` is the table itself: the test's model is cut to the event dates at hand.
#}
{% test volume_as_usual(model, history, tolerance=0.5, days=7, least_days=3) %}
with today as (
    select
        event_date,
        count(*) as row_count
    from {{ model }}
    group by event_date
),

counted as (
    select
        event_date,
        count(*) as row_count,
        max(event_date) over () as newest_date
    from {{ history }}
    where {{ event_dates_predicate(event_dates_around(hourglass_event_dates(), before=days, after=1)) }}
    group by event_date
)

select
    today.event_date,
    today.row_count,
    avg(before.row_count) as usual_row_count
from today
inner join counted as before
    on
        before.event_date between date_sub(today.event_date, interval {{ days }} day)
        and date_sub(today.event_date, interval 1 day)
group by today.event_date, today.row_count
having
    count(*) >= {{ least_days }}
    and (
        today.row_count > (1 + {{ tolerance }}) * avg(before.row_count)
        or (
            today.row_count < (1 - {{ tolerance }}) * avg(before.row_count)
            and today.event_date < max(before.newest_date)
        )
    )
{% endtest %}
