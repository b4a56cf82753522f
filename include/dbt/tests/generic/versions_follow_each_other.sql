{#
  Fails for every version of a history that is empty, overlaps the next one, leaves a gap before it although the
  row was not deleted, or is not numbered on from the one before. Dates or timestamps; closed_by says which column
  tells deletions, none where there are none.
#}
{% test versions_follow_each_other(model, key, valid_from="valid_from", valid_to="valid_to", closed_by="closed_by") %}
with versions as (
    select
        {{ key | join(", ") }},
        {{ valid_from }} as valid_from,
        {{ valid_to }} as valid_to,
        is_current,
        {{ closed_by or "''" }} as closed_by,
        version,
        lead({{ valid_from }}) over (partition by {{ key | join(", ") }} order by {{ valid_from }}) as next_from,
        row_number() over (partition by {{ key | join(", ") }} order by {{ valid_from }}) as expected_version
    from {{ model }}
)

select *
from versions
where
    version != expected_version
    or is_current != (valid_to is null)
    or valid_to <= valid_from
    or (next_from is not null and valid_to is null)
    or next_from < valid_to
    or (next_from > valid_to and coalesce(closed_by, '') != 'DELETE')
{% endtest %}
