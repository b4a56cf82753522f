{#
  From the changes of a database's tables to what the tables hold and held.

  A change counts by its place in the database's log, never by when it was delivered: the tables below are a
  function of the set of changes. So they are the same whatever the order in which partitions were run, and
  however often a change was delivered.

  Order: source_timestamp (when the transaction was committed), then the position in the log, then sort_keys and
  uuid, which only make the choice fixed. A backfilled row has no position; it comes before a change of the same
  moment, since the backfill began with it.
#}

{#
  Every version of every row: from valid_from (included) to valid_to (not included, null while it is current).

  Of several changes of a row in one moment, the last counts: they were committed together, so nobody ever saw
  the others. A deletion ends a version and begins none; a row that is inserted again gets the next version.

  Args:
      changes: the relation of the changes: table_name, payload, change_type, is_deleted, source_timestamp,
          lsn_position, sort_keys and uuid.
      table: the table in the database.
      key: its primary key, a list.
      columns: its columns, the key included: a mapping from name to BigQuery type.
#}
{% macro cdc_history(changes, table, key, columns) %}
with changes as (
    select
    {%- for column, type in columns.items() %}
        {{ cdc_value(column, type) }} as {{ column }},
    {%- endfor %}
        change_type,
        is_deleted,
        source_timestamp,
        lsn_position,
        sort_keys,
        uuid
    from {{ changes }}
    where table_name = '{{ table }}' and {{ every_partition(changes) }}
),

-- The same change may be delivered again with another uuid; its position in the log stays.
distinct_changes as (
    select *
    from changes
    qualify
        row_number() over (
            partition by {{ key | join(", ") }}, coalesce(cast(lsn_position as string), uuid)
            order by source_timestamp, uuid
        ) = 1
),

states as (
    select *
    from distinct_changes
    qualify
        row_number() over (
            partition by {{ key | join(", ") }}, source_timestamp
            order by lsn_position desc, sort_keys desc, uuid desc
        ) = 1
),

spans as (
    select
        *,
        lead(source_timestamp) over (partition by {{ key | join(", ") }} order by source_timestamp) as valid_to,
        lead(change_type) over (partition by {{ key | join(", ") }} order by source_timestamp) as closed_by
    from states
)

select
{%- for column in columns %}
    {{ column }},
{%- endfor %}
    source_timestamp as valid_from,
    valid_to,
    valid_to is null as is_current,
    row_number() over (partition by {{ key | join(", ") }} order by source_timestamp) as version,
    change_type as opened_by,
    closed_by,
    uuid as change_id
from spans
where not is_deleted
{% endmacro %}


{#
  What a table holds now, from its history: deleted rows are not in it.

  Args:
      history: the relation that cdc_history made.
      columns: the table's columns: a mapping from name to BigQuery type.
#}
{% macro cdc_current(history, columns) %}
select
{%- for column in columns %}
    {{ column }},
{%- endfor %}
    valid_from as changed_at,
    version
from {{ history }}
where is_current
{% endmacro %}


{# A column of the payload; null where the value does not fit the type. #}
{% macro cdc_value(column, type) %}
    {%- if type == "string" -%}
        json_value(payload, '$.{{ column }}')
    {%- else -%}
        safe_cast(json_value(payload, '$.{{ column }}') as {{ type }})
    {%- endif -%}
{% endmacro %}
