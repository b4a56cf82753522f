{#
  Fails for every event date at hand without rows, though the table has rows of an earlier and of a later one: a day
  that was lost on the way.
#}
{% test has_rows_every_day(model) %}
{%- set dates = hourglass_event_dates() -%}
with present as (
    select
        event_date,
        count(*) as row_count
    from {{ model }}
    group by event_date
),

spanned as (
    select
        min(event_date) as first_date,
        max(event_date) as last_date
    from present
),

wanted as (
    select event_date
    from spanned
    {%- if dates is none %}
    cross join unnest(generate_date_array(spanned.first_date, spanned.last_date)) as event_date
    {%- else %}
    cross join unnest(array<date>[
        {%- for date in dates %}date '{{ date }}'{{ ", " if not loop.last }}{% endfor -%}
    ]) as event_date
    {%- endif %}
    where event_date between spanned.first_date and spanned.last_date
)

select wanted.event_date
from wanted
left join present on wanted.event_date = present.event_date
where present.row_count is null
{% endtest %}
