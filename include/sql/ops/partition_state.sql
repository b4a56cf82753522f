-- The newest ledger row of each partition of one source that starts in a time range.
-- Parameters: @source STRING; @range_start and @range_end TIMESTAMP, start included, end not.
SELECT *
FROM ops.partition_ledger
WHERE
    source = @source
    AND landing_hour >= @range_start
    AND landing_hour < @range_end
QUALIFY
    ROW_NUMBER() OVER (
        PARTITION BY source, `partition`
        ORDER BY recorded_at DESC, attempt DESC, run_id DESC
    ) = 1
ORDER BY landing_hour
