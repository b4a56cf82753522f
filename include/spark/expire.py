"""Expire: drop the old snapshots of Iceberg tables, and the data files that only they hold.

Run as `spark-submit expire.py DAYS TABLE…` with tables as catalog.namespace.table. The current snapshot always stays.
A running batch looks for its own snapshot right after its commit, so DAYS must not be zero.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

from pyspark.sql import SparkSession

from hg_sql import literal, quoted


def expire(spark: SparkSession, table: str, before: datetime) -> int | None:
    """Expire one table's snapshots.

    Args:
        spark: the session, with the table's catalog configured.
        table: catalog.namespace.table.
        before: snapshots older than this go, but for the current one.

    Returns:
        How many files were deleted; None when there is no such table.
    """
    if not spark.catalog.tableExists(table):
        return None
    catalog, _, name = table.partition(".")
    moment = f"{before.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    deleted = spark.sql(
        f"CALL {quoted(catalog)}.system.expire_snapshots(table => {literal(name)}, "
        f"older_than => TIMESTAMP '{moment}', retain_last => 1, stream_results => true)"
    ).collect()[0]
    return sum(int(count) for count in deleted if count is not None)


def main(arguments: list[str]) -> int:
    """Run the job; the exit status is 0 only when every table was looked at."""
    if len(arguments) < 2 or not arguments[0].isdigit() or int(arguments[0]) < 1:
        sys.stderr.write("usage: expire.py DAYS TABLE…, DAYS at least 1\n")
        return 2
    days, *tables = arguments
    before = datetime.now(tz=UTC) - timedelta(days=int(days))
    spark = SparkSession.builder.appName("hourglass expire").getOrCreate()
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    failed = []
    for table in tables:
        try:
            deleted = expire(spark, table, before)
        except Exception as error:  # one table must not keep the others from being looked at
            failed.append(f"{table}: {type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}")
            continue
        said = "is not there" if deleted is None else f"{deleted} files deleted"
        sys.stdout.write(f"expire | {table}: {said}\n")
    spark.stop()
    if failed:
        sys.stdout.flush()
        sys.stderr.write(f"expire failed: {len(failed)} of {len(tables)} tables: {'; '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
