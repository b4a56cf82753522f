-- What people decided about quarantined lines: a row each time one was replayed or discarded, never updated or deleted.
-- Partitioned and clustered like the ledger, since it is read with a partition of a source.
CREATE TABLE IF NOT EXISTS ops.quarantine_actions (
    source STRING NOT NULL OPTIONS (description = 'The source, as in include/sources.'),
    `partition` STRING NOT NULL OPTIONS (description = 'Key of the partition, as in the ledger.'),
    landing_hour TIMESTAMP NOT NULL OPTIONS (description = 'Start of the partition.'),
    action STRING NOT NULL OPTIONS (description = 'replayed: landed again, as a line of replay_object; or discarded.'),
    source_object STRING NOT NULL OPTIONS (description = 'The object of the quarantined line.'),
    generation INT64 NOT NULL OPTIONS (
        description = 'The generation of that object; the action is void once the object has been replaced.'
    ),
    source_line INT64 NOT NULL OPTIONS (description = 'The number of the line in that object, from 1.'),
    reason STRING OPTIONS (description = 'Why the line was quarantined.'),
    field STRING OPTIONS (description = 'The offending field, where one could be named.'),
    replay_object STRING OPTIONS (
        description = 'The object that takes its place; the action is void once that object has been removed.'
    ),
    replay_line INT64 OPTIONS (description = 'The number of the line in the replay object, from 1.'),
    origins STRING OPTIONS (
        description = 'JSON array of [object, generation, line]: this line, and where it was a replay itself, the ones behind it.'
    ),
    repair STRING OPTIONS (description = 'The repair that was applied.'),
    why STRING OPTIONS (description = 'The reason that was given.'),
    acted_by STRING OPTIONS (description = 'Who did it: a user and a machine.'),
    acted_at TIMESTAMP NOT NULL OPTIONS (description = 'When.'),
    digest STRING NOT NULL OPTIONS (
        description = 'Names the action: its rows are also in replays/SOURCE/PARTITION/DIGEST.jsonl of the ops bucket.'
    )
)
PARTITION BY TIMESTAMP_TRUNC(landing_hour, DAY)
CLUSTER BY source, `partition`, acted_at
OPTIONS (
    require_partition_filter = TRUE,
    description = 'Append-only: what was replayed and discarded of the quarantine, line by line.',
    labels = [('managed_by', 'hourglass'), ('table_type', 'ops')]
)
