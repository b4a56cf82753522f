-- The ledger: one row each time a partition of a source ended, never updated, never deleted.
-- Partitioned by the day of landing_hour and not of recorded_at, because that is what readers ask for ("the
-- state of these hours"): a late re-run a month later still lands beside the hour's first row, so the newest
-- row of every hour in a range is found by reading that range's days alone. Clustered as rows are looked up.
CREATE TABLE IF NOT EXISTS ops.partition_ledger (
    source STRING NOT NULL OPTIONS (description = 'The source, as in include/sources.'),
    `partition` STRING NOT NULL OPTIONS (description = 'Key of the partition: 2021-07-21T06 (hour) or 2021-07-21 (day).'),
    landing_hour TIMESTAMP NOT NULL OPTIONS (description = 'Start of the partition.'),
    grain STRING NOT NULL OPTIONS (description = 'hour or day.'),
    state STRING NOT NULL OPTIONS (
        description = 'published, failed, skipped, or overdue: settled, and its files changed too late to be taken in.'
    ),
    manifest_hash STRING OPTIONS (description = 'SHA-256 of the frozen list of objects; null if none was frozen.'),
    generation INT64 OPTIONS (
        description = 'Ordinal of the manifest among those of the partition, from 1; every attempt at a manifest has the same.'
    ),
    schema_version STRING OPTIONS (description = 'Version of the source schema that was applied.'),
    objects INT64 OPTIONS (description = 'Objects in the manifest.'),
    bytes INT64 OPTIONS (description = 'Their size as stored, in bytes.'),
    lines INT64 OPTIONS (description = 'Lines read from them.'),
    silver INT64 OPTIONS (description = 'Lines accepted as silver rows.'),
    quarantined INT64 OPTIONS (description = 'Lines refused, kept in the quarantine with their reason.'),
    duplicates INT64 OPTIONS (description = 'Repeats within the partition. lines = silver + quarantined + duplicates.'),
    published_rows INT64 OPTIONS (description = 'Rows of the published table in this partition.'),
    feature_rows INT64 OPTIONS (description = 'Entities pushed to Bigtable.'),
    event_dates ARRAY<DATE> OPTIONS (description = 'Event dates found in the partition, in order.'),
    timings STRING OPTIONS (description = 'JSON object: seconds by stage.'),
    warnings STRING OPTIONS (description = 'JSON array: expectations and tests that warned.'),
    failed_stage STRING OPTIONS (description = 'The stage that failed, when state is failed.'),
    batch_id STRING OPTIONS (description = 'Dataproc batch that refined the partition.'),
    run_id STRING NOT NULL OPTIONS (description = 'Airflow run.'),
    attempt INT64 OPTIONS (description = 'Attempt of the task that wrote the row, from 1.'),
    recorded_at TIMESTAMP NOT NULL OPTIONS (description = 'When the row was written.')
)
PARTITION BY TIMESTAMP_TRUNC(landing_hour, DAY)
CLUSTER BY source, `partition`, recorded_at
OPTIONS (
    require_partition_filter = TRUE,
    description = 'Append-only history of every partition of every source. Its newest row per partition is the state.',
    labels = [('managed_by', 'hourglass'), ('table_type', 'ops')]
)
