{#
  For each day and feature of a table of features: its rows, its values, their sum and that of their squares.

  Values count to four decimals: NUMERIC adds these and their squares exactly, so that no sum depends on the order of
  the rows, and a feature that is always the same has no spread at all.

  Args:
      set: the model that has the features.
      features: their columns.
      event_dates: the days; none for every day.
#}
{% macro daily_feature_sums(set, features, event_dates) -%}
    select
        entities.event_date,
        '{{ set }}' as feature_set,
        found.feature,
        count(*) as row_count,
        count(found.amount) as known,
        sum(found.amount) as total,
        sum(found.amount * found.amount) as squares
    from {{ ref(set) }} as entities
    cross join unnest([
        {%- for feature in features %}
        struct('{{ feature }}' as feature, cast(round(entities.{{ feature }}, 4) as numeric) as amount)
        {{- "," if not loop.last }}
        {%- endfor %}
    ]) as found
    where {{ event_dates_predicate(event_dates, "entities.event_date") }}
    group by entities.event_date, found.feature
{%- endmacro %}
