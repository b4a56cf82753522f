{#
  The training set of a model that guesses whether somebody who sees a photo reacts to it or shares it: a row for
  the first view of a photo by a user on a day, the features that were known at that moment, and the label.

  Args:
      users: features of the user.
      photos: features of the photo; none leaves that side out.
      max_age_days: the registry's freshness of both.
#}
{% macro photo_interest(users, photos, max_age_days) %}
{%- set event_dates = recomputed_dates() %}

with events as (
    select
        event_date,
        event_at,
        event_type,
        user_id,
        content_id
    from {{ ref("fct_user_engagement") }}
    where
        {{ event_dates_predicate(event_dates) }}
        and content_id is not null
),

labels as (
    select
        {{ surrogate_key(["event_date", "user_id", "content_id"]) }} as row_key,
        event_date,
        user_id,
        content_id,
        min(if(event_type = 'view', event_at, null)) as label_at,
        countif(event_type in ('react', 'share')) > 0 as label_interested
    from events
    group by event_date, user_id, content_id
    having countif(event_type = 'view') > 0
),

of_users as (
    {{ known_at("labels", ref("user_features"), "user_id", users, event_dates, max_age_days) }}
)

{%- if photos %},

of_photos as (
    {{ known_at("labels", ref("recommendation_features"), "content_id", photos, event_dates, max_age_days) }}
)
{%- endif %}

select
    labels.row_key,
    labels.event_date,
    labels.user_id,
    labels.content_id,
    labels.label_at,
    labels.label_interested,
    of_users.available_at as user_features_at,
    {%- for column in users %}
    of_users.{{ column }} as user_{{ column }},
    {%- endfor %}
    {%- if photos %}
    of_photos.available_at as photo_features_at,
    {%- for column in photos %}
    of_photos.{{ column }} as photo_{{ column }},
    {%- endfor %}
    {%- endif %}
    extract(hour from labels.label_at) as hour_of_day
from labels
inner join of_users on labels.row_key = of_users.row_key
{%- if photos %}
inner join of_photos on labels.row_key = of_photos.row_key
{%- endif %}
{% endmacro %}
