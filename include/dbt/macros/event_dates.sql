{#
  The event dates this run recomputes: a sorted list of ISO dates without repeats, or none for every date.

  They arrive in the environment variable HOURGLASS_EVENT_DATES ("2021-07-20,2021-07-21"); empty means an
  empty partition (nothing to do), "all" or --full-refresh means every date. While dbt parses there is no
  run yet: the variable is not even read then, so a new value never makes dbt parse a file again.
#}
{% macro hourglass_event_dates() %}
    {%- if not execute or flags.FULL_REFRESH -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set given = env_var("HOURGLASS_EVENT_DATES", "all") | trim -%}
    {%- if given == "all" -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set dates = [] -%}
    {%- for item in given.split(",") if item | trim -%}
        {%- set date = item | trim -%}
        {%- if not modules.re.match("^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", date) -%}
            {%- do exceptions.raise_compiler_error(
                "HOURGLASS_EVENT_DATES holds '" ~ date ~ "', which is not a date like 2021-07-21. Give dates "
                ~ "separated by commas, nothing for an empty partition, or 'all'."
            ) -%}
        {%- endif -%}
        {%- if date not in dates -%}
            {%- do dates.append(date) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(dates | sort) }}
{% endmacro %}


{#
  The event dates and their neighbours: a sorted list, or none for every date.

  Args:
      event_dates: what hourglass_event_dates() gave.
      before: how many days before each of them come along.
      after: how many days after each of them come along.
#}
{% macro event_dates_around(event_dates, before=0, after=0) %}
    {%- if event_dates is none -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set around = [] -%}
    {%- for date in event_dates -%}
        {%- set day = modules.datetime.datetime.strptime(date, "%Y-%m-%d") -%}
        {%- for distance in range(-before, after + 1) -%}
            {%- do around.append((day + modules.datetime.timedelta(days=distance)).strftime("%Y-%m-%d")) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(around | unique | sort) }}
{% endmacro %}


{#
  The event dates that this run replaces in the model at hand. Where a row also reads the days around its own
  (trailing sums, sessions across midnight), a changed date changes its neighbours' rows too: the model says how
  far in meta.recomputes, {"before": days, "after": days}, and the same rows come out whatever the order of runs.
#}
{% macro recomputed_dates() %}
    {%- if not execute -%}
        {{ return(none) }}
    {%- endif -%}
    {%- set reach = (model.config.get("meta") or {}).get("recomputes") or {} -%}
    {{ return(event_dates_around(hourglass_event_dates(), reach.get("before", 0), reach.get("after", 0))) }}
{% endmacro %}


{#
  The predicate that selects the given event dates. BigQuery can always prune partitions by it: it compares
  the column with constants even for "every date" and for "no date" (0001-01-01 never is an event's date).
#}
{% macro event_dates_predicate(event_dates, column="event_date") %}
    {%- if event_dates is none -%}
        {{ column }} >= date '1970-01-01'
    {%- elif event_dates | length == 0 -%}
        {{ column }} = date '0001-01-01'
    {%- else -%}
        {{ column }} in (date '{{ event_dates | join("', date '") }}')
    {%- endif -%}
{% endmacro %}


{#
  The predicate on landing_hour that covers every partition in which events of the given dates can have
  landed. How far they reach is in the meta of the dbt source: max_ahead_days before the date (a clock that runs
  ahead, the length of a partition) until max_lateness_days after its end. Neighbouring dates share one range,
  distant ones get their own, so a straggler from last week does not make the run read the whole week twice over.
#}
{% macro landing_hours_for(event_dates, source_name, column="landing_hour") %}
    {%- if event_dates is none -%}
        {{ column }} >= timestamp '1970-01-01 00:00:00+00'
    {%- elif event_dates | length == 0 -%}
        {{ column }} = timestamp '0001-01-01 00:00:00+00'
    {%- else -%}
        {%- set reach = landing_reach(source_name) -%}
        {%- set ranges = [] -%}
        {%- for date in event_dates -%}
            {%- set day = modules.datetime.datetime.strptime(date, "%Y-%m-%d") -%}
            {%- set start = day - modules.datetime.timedelta(days=reach.max_ahead_days) -%}
            {%- set end = day + modules.datetime.timedelta(days=1 + reach.max_lateness_days) -%}
            {%- if ranges and start <= ranges[-1][1] -%}
                {%- do ranges.append((ranges.pop()[0], end)) -%}
            {%- else -%}
                {%- do ranges.append((start, end)) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set format = "%Y-%m-%d 00:00:00+00" -%}
        (
        {%- for start, end in ranges %}
            {{ "or " if not loop.first }}(
                {{ column }} >= timestamp '{{ start.strftime(format) }}'
                and {{ column }} < timestamp '{{ end.strftime(format) }}'
            )
        {%- endfor %}
        )
    {%- endif -%}
{% endmacro %}


{# max_ahead_days and max_lateness_days of a source, from the meta in its _sources.yml. #}
{% macro landing_reach(source_name) %}
    {%- for node in graph.sources.values() if node.source_name == source_name -%}
        {%- set meta = node.config.meta -%}
        {%- if "max_ahead_days" in meta and "max_lateness_days" in meta -%}
            {{ return(meta) }}
        {%- endif -%}
    {%- endfor -%}
    {%- do exceptions.raise_compiler_error(
        "The dbt source " ~ source_name ~ " does not say how late its events may land. Set max_lateness_days and "
        ~ "max_ahead_days under config.meta in its _sources.yml, or run python -m hourglass compile " ~ source_name ~ "."
    ) -%}
{% endmacro %}


{#
  The predicate that lets a query read all of a table: true, or every partition where the table insists on a
  filter.
#}
{% macro every_partition(relation) %}
    {%- if execute -%}
        {%- for node in graph.nodes.values()
            if node.alias == relation.identifier and node.schema == relation.schema
            and node.config.require_partition_filter -%}
            {{ return(event_dates_predicate(none, node.config.partition_by.field)) }}
        {%- endfor -%}
    {%- endif -%}
    {{ return("true") }}
{% endmacro %}
