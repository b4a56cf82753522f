"""Old snapshots of an Iceberg table go with the files that only they hold; what is current stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from refine_hour import Hour, line

from expire import expire, main


def files(spark: Any, table: str) -> set[str]:
    """The data files on disk."""
    location = spark.sql(f"DESCRIBE TABLE EXTENDED {table}").where("col_name = 'Location'").collect()[0][1]
    return {p.name for p in Path(location.removeprefix("file:"), "data").rglob("*.parquet")}


def test_old_snapshots_go_with_their_files_and_the_current_rows_stay(hour: Hour, spark: Any) -> None:
    hour.gz("a.gz", [line(1), line(2)])
    first = hour.refine()
    again = hour.refine()
    table = hour.spec()["tables"]["silver"]
    assert len(files(spark, table)) == 2
    assert expire(spark, table, datetime.now(tz=UTC) - timedelta(days=1)) == 0
    assert spark.table(f"{table}.snapshots").count() >= 2

    assert (expire(spark, table, datetime.now(tz=UTC) + timedelta(seconds=5)) or 0) >= 1
    snapshots = [str(r["snapshot_id"]) for r in spark.table(f"{table}.snapshots").collect()]
    assert snapshots == [again.outcome["snapshots"]["silver"]]
    assert files(spark, table) == {f["uri"].rsplit("/", 1)[-1] for f in again.outcome["files"]["silver"]}
    assert hour.rows(table) == first.silver


def test_a_table_that_is_not_there_is_no_failure(spark: Any) -> None:
    assert expire(spark, "lake.silver.nobody", datetime.now(tz=UTC)) is None


@pytest.mark.parametrize("arguments", [[], ["7"], ["0", "lake.a.b"], ["a week", "lake.a.b"]])
def test_an_age_of_zero_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "DAYS at least 1" in capsys.readouterr().err
