{{
    config(
        tags=["daily"],
        cluster_by=["source_id"],
        require_partition_filter=false,
        partition_expiration_days=none,
        labels={"managed_by": "hourglass", "table_type": "ops"},
    )
}}

-- A partition's newest row is its state.
with partitions as (
    select
        source as source_id,
        `partition` as partition_key,
        date(landing_hour) as landing_date,
        state,
        lines,
        silver,
        quarantined,
        duplicates
    from {{ source("ops", "partition_ledger") }}
    where landing_hour >= timestamp '1970-01-01 00:00:00+00'
    qualify
        row_number() over (
            partition by source, `partition`
            order by recorded_at desc, attempt desc, run_id desc
        ) = 1
),

-- What was decided last on a line is what counts.
decided_lines as (
    select
        source as source_id,
        date(landing_hour) as landing_date,
        action
    from {{ source("ops", "quarantine_actions") }}
    where landing_hour >= timestamp '1970-01-01 00:00:00+00'
    qualify
        row_number() over (
            partition by source, `partition`, source_object, generation, source_line
            order by acted_at desc, digest desc
        ) = 1
),

decisions as (
    select
        source_id,
        landing_date,
        countif(action = 'replayed') as replayed,
        countif(action = 'discarded') as discarded
    from decided_lines
    group by source_id, landing_date
),

days as (
    select
        source_id,
        landing_date,
        count(*) as `partitions`,
        countif(state in ('published', 'overdue')) as published_partitions,
        countif(state = 'failed') as failed_partitions,
        coalesce(sum(lines), 0) as lines,
        coalesce(sum(silver), 0) as silver,
        coalesce(sum(quarantined), 0) as quarantined,
        coalesce(sum(duplicates), 0) as duplicates
    from partitions
    group by source_id, landing_date
)

select
    days.source_id,
    days.landing_date,
    days.partitions,
    days.published_partitions,
    days.failed_partitions,
    days.lines,
    days.silver,
    days.quarantined,
    days.duplicates,
    coalesce(decisions.replayed, 0) as replayed,
    coalesce(decisions.discarded, 0) as discarded,
    safe_divide(days.quarantined, days.lines) as quarantined_share
from days
left join decisions
    on
        days.source_id = decisions.source_id
        and days.landing_date = decisions.landing_date
