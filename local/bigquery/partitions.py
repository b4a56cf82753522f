"""Partitions of a table: their ids, their rows and the DuckDB conditions that select them."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
from local_bigquery.catalog import metadata, names, tables
from local_bigquery.engine import database
from local_bigquery.engine.database import quote
from local_bigquery.errors import BigQueryError, not_found
from local_bigquery.models import Table

Reference = tuple[str, str, str]
FORMATS = {"HOUR": ("%Y%m%d%H", 10), "DAY": ("%Y%m%d", 8), "MONTH": ("%Y%m", 6), "YEAR": ("%Y", 4)}
NULL = "__NULL__"
LITERALS = {"DATE": "DATE '{:%Y-%m-%d}'", "DATETIME": "TIMESTAMP '{:%Y-%m-%d %H:%M:%S}'"}
TIMESTAMP_LITERAL = "TIMESTAMPTZ '{:%Y-%m-%d %H:%M:%S}+00'"


@dataclass(frozen=True)
class Partition:
    """One partition of one table.

    Attributes:
        table: project, dataset and table, without the decorator.
        id: the part behind the `$`, such as 2021072106 or __NULL__.
        predicate: DuckDB SQL over the table's columns; true for exactly the partition's rows.
    """

    table: Reference
    id: str
    predicate: str

    @property
    def name(self) -> str:
        """The table's quoted DuckDB name."""
        return str(tables.name(*self.table))

    @property
    def label(self) -> str:
        """The partition as BigQuery's messages write it: project:dataset.table$id."""
        return f"{names.label(*self.table)}${self.id}"

    @property
    def rows(self) -> str:
        """A parenthesised DuckDB query over the partition's rows."""
        return f"(SELECT * FROM {self.name} WHERE {self.predicate})"

    def count(self) -> int:
        """Count the partition's rows."""
        return int(database.fetch(f"SELECT count(*) FROM {self.rows} AS partition_rows")[0][0])


def split(reference: Reference) -> tuple[Reference, str | None]:
    """Separate a table from its decorator.

    Args:
        reference: project, dataset and table, the table perhaps with `$id`.

    Returns:
        The reference without the decorator, and the partition's id or None.
    """
    base, mark, partition = reference[2].rpartition("$")
    return ((reference[0], reference[1], base), partition) if mark else (reference, None)


def following(start: datetime.datetime, unit: str) -> datetime.datetime:
    """Return the start of the next partition.

    Args:
        start: a partition's start.
        unit: HOUR, DAY, MONTH or YEAR.
    """
    if unit == "YEAR":
        return start.replace(year=start.year + 1)
    if unit == "MONTH":
        return (start.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)
    return start + (datetime.timedelta(hours=1) if unit == "HOUR" else datetime.timedelta(days=1))


def time_predicate(column: str, kind: str, unit: str, partition: str) -> str:
    """Write the half-open interval of a time partition as DuckDB SQL.

    Args:
        column: the partitioning column's quoted name.
        kind: its BigQuery type: TIMESTAMP, DATE or DATETIME.
        unit: HOUR, DAY, MONTH or YEAR.
        partition: the id behind the `$`.

    Raises:
        BigQueryError: the id is not a time of that unit.
    """
    pattern, length = FORMATS[unit]
    try:
        if len(partition) != length:
            raise ValueError(partition)
        start = datetime.datetime.strptime(partition, pattern).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise BigQueryError(
            "invalid",
            f"Invalid partition decorator ${partition}: the table is partitioned by {unit}, "
            f"so the decorator must have {length} digits ({pattern}).",
        ) from None
    literal = LITERALS.get(kind, TIMESTAMP_LITERAL)
    end = following(start, unit)
    return f"({column} >= {literal.format(start)} AND {column} < {literal.format(end)})"


def range_predicate(column: str, bounds: Any, partition: str) -> str:
    """Write the interval of an integer-range partition as DuckDB SQL; its id is the range's start."""
    start, step = int(bounds.start), int(bounds.interval)
    if not partition.lstrip("-").isdigit() or (int(partition) - start) % step:
        raise BigQueryError(
            "invalid",
            f"Invalid partition decorator ${partition}: partitions start at {start}, then every {step}.",
        )
    return f"({column} >= {int(partition)} AND {column} < {int(partition) + step})"


def partition_of(table: Reference, partition: str) -> Partition:
    """Resolve a decorator against the table's partitioning.

    Args:
        table: project, dataset and table.
        partition: the id behind the `$`.

    Returns:
        The partition; it may hold no rows.

    Raises:
        BigQueryError: notFound for an unknown table, invalid for a table without partitions or a wrong id.
    """
    if not tables.exists(*table):
        raise not_found("Table", names.label(*table))
    stored = metadata.load(Table, *table) or Table()
    by_time, by_range = stored.timePartitioning, stored.rangePartitioning
    if by_time is None and by_range is None:
        raise BigQueryError(
            "invalid",
            f"Cannot use decorator ${partition}: table {names.label(*table)} is not partitioned.",
        )
    field = (by_time or by_range).field or tables.INGESTION_TIME
    column = quote(field)
    if partition == NULL:
        return Partition(table, partition, f"({column} IS NULL)")
    if by_range is not None:
        return Partition(table, partition, range_predicate(column, by_range.range, partition))
    kinds = {f.name.casefold(): f.type for f in tables.columns(*table)}
    kind = kinds.get(field.casefold(), "TIMESTAMP")
    return Partition(table, partition, time_predicate(column, kind, by_time.type or "DAY", partition))


@contextlib.contextmanager
def transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Make the block's statements one commit, so that readers see the old partition or the new one."""
    cursor.execute("BEGIN")
    try:
        yield
    except BaseException:
        cursor.execute("ROLLBACK")
        raise
    cursor.execute("COMMIT")


def partition_counts(table: Reference, resource: Table) -> list[tuple[str, int]]:
    """Count the rows of every partition of a table.

    Args:
        table: project, dataset and table.
        resource: the table's resource.

    Returns:
        Partition ids in order with their row counts; nothing for a table without partitions.
    """
    by_time, by_range = resource.timePartitioning, resource.rangePartitioning
    if by_time is None and by_range is None:
        return []
    column = quote((by_time or by_range).field or tables.INGESTION_TIME)
    if by_time is not None:
        identifier = f"strftime({column}, '{FORMATS[by_time.type or 'DAY'][0]}')"
    else:
        start, step = int(by_range.range.start), int(by_range.range.interval)
        identifier = f"CAST({start} + ({column} - {start}) // {step} * {step} AS VARCHAR)"
    return database.fetch(  # type: ignore[no-any-return]
        f"SELECT coalesce({identifier}, '{NULL}') AS id, count(*) FROM {tables.name(*table)} "
        "GROUP BY 1 ORDER BY 1"
    )
