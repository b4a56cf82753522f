{#
  incremental + insert_overwrite on event dates, in place of dbt's own. Two runs of neighbouring hours share
  event dates and may overlap, and dbt's version is not safe then:
    - a contract forces on_schema_change, and that forces a temporary table whose name all runs share: one
      run would publish another's rows, or rows read before a third run published;
    - on a missing table it is CREATE OR REPLACE: of two first runs, the last one wins and the other's
      dates are lost.
  Here the table is created empty, if it is not there, and one MERGE reads and replaces the run's event
  dates. BigQuery runs each MERGE on a snapshot and lets only one of two conflicting ones commit.
  A full refresh is the same MERGE over every date, so views on the table live on; only a changed schema,
  partitioning or clustering recreates the table.

  The table is partitioned by a DATE column, whatever its name, that holds the event date: a row may depend on
  rows of its own event date only, or also of the days around it that recomputed_dates knows. A table without
  partition_by has no such column. Its MERGE replaces every row, for the same reason: of two overlapping runs
  that each create the table anew, the one that began first may end last, and leave it without the rows that
  the other has seen.

  Every other strategy goes to dbt's own materialization.
#}
{% materialization incremental, adapter="bigquery", supported_languages=["sql", "python"] %}
    {%- if config.get("incremental_strategy") != "insert_overwrite" -%}
        {{ return(dbt.materialization_incremental_bigquery()) }}
    {%- endif -%}

    {%- set partition_config = adapter.parse_partition_by(config.get("partition_by", none)) -%}
    {%- set existing = load_relation(this) -%}
    {%- set event_dates = recomputed_dates() -%}
    {%- do overwrite_preconditions(partition_config, existing) -%}

    {{ run_hooks(pre_hooks) }}

    {%- set recreate = existing is not none and should_full_refresh() and overwrite_needs_new_table(
        existing, partition_config
    ) -%}
    {%- if recreate -%}
        {%- if not adapter.is_replaceable(existing, partition_config, config.get("cluster_by", none)) -%}
            {{ adapter.drop_relation(existing) }}
        {%- endif -%}
        {%- call statement("main") -%}
            {{ bq_create_table_as(partition_config, false, this, compiled_code) }}
        {%- endcall -%}
    {%- else -%}
        {%- if existing is none -%}
            {%- do get_assert_columns_equivalent(compiled_code) -%}
            {%- call statement("create_empty") -%}
                {{ overwrite_create_empty(partition_config) }}
            {%- endcall -%}
        {%- else -%}
            {%- do overwrite_assert_columns(existing) -%}
        {%- endif -%}
        {%- if event_dates == [] -%}
            {%- do log(this ~ ": no event dates in this partition, nothing to do", info=true) -%}
            {%- call noop_statement("main", "no event dates", "SKIP", "0") -%}
            {%- endcall -%}
        {%- else -%}
            {%- set replaced = [] -%}
            {%- if partition_config is not none -%}
                {%- set column = "DBT_INTERNAL_DEST." ~ adapter.quote(partition_config.field) -%}
                {%- do replaced.append(event_dates_predicate(event_dates, column)) -%}
            {%- endif -%}
            {%- call statement("main") -%}
                {{ get_insert_overwrite_merge_sql(
                    this, "(" ~ compiled_code ~ ")", model.columns.values() | list, replaced
                ) }}
            {%- endcall -%}
        {%- endif -%}
    {%- endif -%}

    {{ run_hooks(post_hooks) }}

    {%- set relation = this.incorporate(type="table") -%}
    {%- do apply_grants(relation, config.get("grants"), should_revoke(existing, recreate)) -%}
    {%- if existing is none or should_full_refresh() -%}
        {%- do persist_docs(relation, model) -%}
    {%- endif -%}

    {{ return({"relations": [relation]}) }}
{% endmaterialization %}


{# Refuses what this materialization cannot do safely, before anything is written. #}
{% macro overwrite_preconditions(partition_config, existing) %}
    {%- if partition_config is not none
        and (partition_config.data_type != "date" or partition_config.granularity != "day") -%}
        {%- do exceptions.raise_compiler_error(
            "insert_overwrite replaces event dates: in " ~ model.path ~ " set partition_by to the DATE column that "
            ~ "holds them, by day, or leave partition_by out to replace the whole table."
        ) -%}
    {%- endif -%}
    {%- if not config.get("contract").enforced -%}
        {%- do exceptions.raise_compiler_error("insert_overwrite needs an enforced contract: " ~ model.path ~ ".") -%}
    {%- endif -%}
    {%- if existing is not none and not existing.is_table -%}
        {%- do exceptions.raise_compiler_error(
            this ~ " exists and is a " ~ existing.type ~ ". Drop it, then run the model again."
        ) -%}
    {%- endif -%}
    {%- if env_var("HOURGLASS_EVENT_DATES", "unset") == "unset" and not flags.FULL_REFRESH -%}
        {%- do exceptions.raise_compiler_error(
            "HOURGLASS_EVENT_DATES is not set, so " ~ this ~ " does not know what to recompute. Set it to the "
            ~ "partition's event dates (2021-07-20,2021-07-21), to nothing for an empty partition, or to 'all'."
        ) -%}
    {%- endif -%}
{% endmacro %}


{% macro overwrite_create_empty(partition_config) %}
    create table if not exists {{ this }}
    {{ get_table_columns_and_constraints() }}
    {{ partition_by(partition_config) }}
    {{ cluster_by(config.get("cluster_by", none)) }}
    {{ bigquery_table_options(config, model, false) }}
{% endmacro %}


{#
  Columns as "name type", in lower case and sorted. BigQuery's API calls a BOOL column BOOLEAN, and the adapter
  quotes the names in a STRUCT; the other types are the same in a contract and in what the adapter reports.
#}
{% macro overwrite_columns(columns) %}
    {%- set described = [] -%}
    {%- for column in columns -%}
        {%- set type = column.data_type | lower | replace("boolean", "bool") | replace("`", "") -%}
        {%- do described.append((column.name | lower) ~ " " ~ type) -%}
    {%- endfor -%}
    {{ return(described | sort) }}
{% endmacro %}


{% macro overwrite_needs_new_table(existing, partition_config) %}
    {%- set current = overwrite_columns(adapter.get_columns_in_relation(existing)) -%}
    {{ return(
        current != overwrite_columns(model.columns.values())
        or not adapter.is_replaceable(existing, partition_config, config.get("cluster_by", none))
    ) }}
{% endmacro %}


{% macro overwrite_assert_columns(existing) %}
    {%- set current = overwrite_columns(adapter.get_columns_in_relation(existing)) -%}
    {%- set contract = overwrite_columns(model.columns.values()) -%}
    {%- if current != contract -%}
        {%- do exceptions.raise_compiler_error(
            "The table " ~ existing ~ " and the contract of " ~ model.path ~ " differ. Only in the table: "
            ~ (current | reject("in", contract) | join(", ") or "nothing") ~ ". Only in the contract: "
            ~ (contract | reject("in", current) | join(", ") or "nothing")
            ~ ". Alter the table, or run the model with --full-refresh."
        ) -%}
    {%- endif -%}
{% endmacro %}
