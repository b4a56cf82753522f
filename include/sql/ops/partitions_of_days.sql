-- What the ledger has of the partitions of several sources that start in a time range: the newest row's state, and the
-- event dates of every attempt.
-- Parameters: @sources ARRAY<STRING>; @range_start and @range_end TIMESTAMP, start included, end not.
WITH attempts AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY source, `partition`
            ORDER BY recorded_at DESC, attempt DESC, run_id DESC
        ) AS age
    FROM ops.partition_ledger
    WHERE
        source IN UNNEST(@sources)
        AND landing_hour >= @range_start
        AND landing_hour < @range_end
)

SELECT
    source,
    `partition`,
    landing_hour,
    MAX(IF(age = 1, state, NULL)) AS state,
    MAX(recorded_at) AS recorded_at,
    ARRAY_CONCAT_AGG(event_dates) AS event_dates
FROM attempts
GROUP BY source, `partition`, landing_hour
ORDER BY landing_hour, source
