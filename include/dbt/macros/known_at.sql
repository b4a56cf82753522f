{#
  Point in time: for each row the newest values of an entity's features that were known at the row's moment, and
  were younger than allowed. A value counts from its available_at on, never from the date that it is made from:
  the features of a day hold what happened after a label of that day.

  Rows whose entity had no features by then keep their place, with nulls.

  Args:
      rows: a CTE with row_key, the entity's column and label_at.
      features: the relation of the features: event_date, available_at, the entity's column and the features.
      entity: the entity's column, the same in both.
      columns: the features.
      event_dates: the dates of the rows (none: all of them).
      max_age_days: how old features may be, in days; the registry's freshness.
#}
{% macro known_at(rows, features, entity, columns, event_dates, max_age_days) -%}
    select
        labels.row_key,
        features.available_at,
        {%- for column in columns %}
        features.{{ column }}{{ "," if not loop.last }}
        {%- endfor %}
    from {{ rows }} as labels
    left join (
        select *
        from {{ features }}
        where {{ event_dates_predicate(event_dates_around(event_dates, before=max_age_days + 1)) }}
    ) as features
        on
            labels.{{ entity }} = features.{{ entity }}
            and features.available_at <= labels.label_at
            and features.available_at > timestamp_sub(labels.label_at, interval {{ max_age_days }} day)
    qualify row_number() over (partition by labels.row_key order by features.available_at desc) = 1
{%- endmacro %}
