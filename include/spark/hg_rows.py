"""From judged lines to the rows of the two tables: line numbers, duplicates, enrichment."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import StringType

import hg_json
import hg_pii
from hg_objects import is_gzip
from hg_read import COLUMNAR, LINE_BITS, Block, number_blocks
from hg_schema import scalar_type
from hg_source import data_fields
from hg_spec import Field, Spec
from hg_sql import KEPT, NULLED, RAW, VALUE, WARNED, dotted, timestamp

BROADCAST_KEYS = 200_000  # more duplicated keys than this are joined by shuffling, not held in memory
SMALL_FILE_BYTES = 32 * 1024 * 1024
MAX_COUNTED = 1000
UNKNOWN = "__hg_unknown"
LISTS = (UNKNOWN, WARNED, NULLED)  # columns that hold a list of names, NULL for most rows
BLOCK_COLUMNS = (
    "__hg_path string, __hg_block bigint, source_object string, __hg_rank bigint, __hg_shift bigint"
)


@dataclass
class Tally:
    """What one pass over the judged lines counted."""

    blocks: list[Block] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    bad_bytes: int = 0
    listed: dict[str, int] = field(default_factory=dict)
    dates: set[str] = field(default_factory=set)

    @property
    def lines(self) -> int:
        """Lines read, whatever became of them."""
        return sum(block.lines for block in self.blocks)

    @property
    def bad(self) -> int:
        """Lines to quarantine."""
        return sum(self.reasons.values())


def tally(rows: DataFrame, spec: Spec) -> Tally:
    """Count judged lines; this is the action that reads them."""
    raw = f"coalesce({RAW}, {VALUE})" if RAW in rows.columns else VALUE
    lists = [name for name in LISTS if name in rows.columns]
    date = F.when(F.col("__hg_reason").isNull(), event_date(spec).cast("string"))
    groups = (
        rows.groupBy("__hg_path", "__hg_block", "__hg_reason", date.alias("date"))
        .agg(
            F.count(F.lit(1)).alias("n"),
            F.min("__hg_id").alias("first"),
            F.max("__hg_id").alias("last"),
            F.sum(
                F.expr(f"CASE WHEN __hg_reason IS NOT NULL THEN length(CAST({raw} AS BINARY)) ELSE 0 END")
            ).alias("bytes"),
            *[F.count(name).alias(name) for name in lists],
        )
        .collect()
    )
    result = Tally()
    blocks: dict[tuple[str, int], Block] = {}
    for row in groups:
        place = (row["__hg_path"], row["__hg_block"])
        mine = Block(*place, row["first"], row["last"], row["n"])
        blocks[place] = _together(blocks[place], mine) if place in blocks else mine
        if row["__hg_reason"] is None:
            result.dates.add(row["date"])
            for name in lists:
                result.listed[name] = result.listed.get(name, 0) + row[name]
        else:
            result.reasons[row["__hg_reason"]] = result.reasons.get(row["__hg_reason"], 0) + row["n"]
            result.bad_bytes += row["bytes"]
    result.blocks = list(blocks.values())
    return result


def event_date(spec: Spec) -> Column:
    """The UTC date of the event's own time, or of the partition's start when events have none."""
    moment = dotted(spec.event_time.field) if spec.event_time else timestamp(spec.start.isoformat())
    return F.to_date(F.expr(moment))


def _together(one: Block, other: Block) -> Block:
    return Block(
        one.path,
        one.start,
        min(one.first_id, other.first_id),
        max(one.last_id, other.last_id),
        one.lines + other.lines,
    )


def write_tasks(spark: SparkSession, spec: Spec) -> int:
    """How many tasks write silver: files near the target size, yet every core busy when there is enough."""
    # Parquet with zstd takes about what gzip takes; plain JSON shrinks to a fifth or less.
    small = spec.format in COLUMNAR
    size = sum(o.size if small or is_gzip(o.uri) else o.size // 5 for o in spec.objects)
    parallel = min(spark.sparkContext.defaultParallelism, size // SMALL_FILE_BYTES)
    return int(max(1, parallel, size // (128 * 1024 * 1024)))


class Numbered:
    """The judged lines with object and line number, and the duplicates among the valid ones."""

    def __init__(self, spark: SparkSession, spec: Spec, rows: DataFrame, counted: Tally) -> None:
        self._spec = spec
        self._counted = counted
        blocks = number_blocks(counted.blocks, spec.objects)
        table = spark.createDataFrame(
            [(b.path, b.start, b.uri, b.rank, b.shift) for b in blocks], BLOCK_COLUMNS
        )
        self._rows = (
            rows.join(F.broadcast(table), ["__hg_path", "__hg_block"])
            .withColumn("source_line", F.expr("__hg_id + __hg_shift"))
            .withColumn("__hg_order", F.expr(f"shiftleft(__hg_rank, {LINE_BITS}) + source_line"))
        )
        self._keys: DataFrame | None = None
        self._key_columns = [f"__hg_key{i}" for i in range(len(spec.key))]
        self._few = True

    def _valid(self) -> DataFrame:
        return self._rows.where("__hg_reason IS NULL")

    def find_duplicates(self) -> int:
        """Find the keys that occur more than once among the valid rows; the first row of each stays.

        A row with a NULL in its key has no duplicates. Returns the number of rows that go.
        """
        if not self._spec.key:
            return 0
        keys = self._with_keys(
            self._valid().where(" AND ".join(f"{dotted(k)} IS NOT NULL" for k in self._spec.key))
        )
        again = (
            keys.groupBy(*self._key_columns)
            .agg(F.min("__hg_order").alias("__hg_first"), F.count(F.lit(1)).alias("__hg_n"))
            .where("__hg_n > 1")
            .persist()
        )
        number, rows = again.agg(F.count(F.lit(1)), F.coalesce(F.sum("__hg_n"), F.lit(0))).collect()[0]
        self._keys = again if number else None
        self._few = number <= BROADCAST_KEYS
        return int(rows - number)

    def _with_keys(self, frame: DataFrame) -> DataFrame:
        return frame.select(
            "*", *[F.expr(dotted(k)).alias(c) for k, c in zip(self._spec.key, self._key_columns, strict=True)]
        )

    def _unique(self) -> DataFrame:
        if self._keys is None:
            return self._valid()
        keys = self._keys.select(*self._key_columns, "__hg_first")
        keys = F.broadcast(keys) if self._few else keys.hint("shuffle_hash")
        joined = self._with_keys(self._valid()).join(keys, self._key_columns, "left")
        return joined.where("__hg_first IS NULL OR __hg_first = __hg_order")

    def silver(self) -> DataFrame:
        """The rows of the silver table."""
        rows = self._with_unknown(self._unique())
        for item in self._spec.enrichment:
            kind = scalar_type(item.type, item.name).simpleString()
            rows = rows.withColumn(item.name, F.expr(f"CAST((\n{item.expression}\n) AS {kind})"))
        return rows.select(
            *[F.expr(sql).alias(name) for name, sql in hg_pii.columns(self._spec).items()],
            self._hour(),
            event_date(self._spec).alias("event_date"),
            "source_object",
            "source_line",
            "unknown_fields",
        )

    def _with_unknown(self, rows: DataFrame) -> DataFrame:
        kept = F.col(KEPT) if KEPT in rows.columns else F.lit(None).cast("string")
        if not self._counted.listed.get(UNKNOWN):
            return rows.withColumn("unknown_fields", kept)
        found = _udf(hg_json.unknown_text, data_fields(self._spec.fields))(F.col(VALUE).cast("binary"))
        plain = rows.where(f"{UNKNOWN} IS NULL").withColumn("unknown_fields", kept)
        others = rows.where(f"{UNKNOWN} IS NOT NULL")
        return plain.unionAll(others.withColumn("unknown_fields", F.coalesce(kept, found)))

    def _hour(self) -> Any:
        return F.expr(timestamp(self._spec.start.isoformat())).alias("landing_hour")

    def quarantined(self) -> DataFrame:
        """The rows of the quarantine table."""
        raw = F.coalesce(RAW, VALUE) if RAW in self._rows.columns else F.col(VALUE)
        bad = self._rows.where("__hg_reason IS NOT NULL").withColumn("raw_line", raw.cast("binary"))
        if self._counted.reasons.get("wrong_type"):
            blame = F.coalesce(
                "__hg_field",
                _udf(hg_json.offending_field, self._spec.fields)(F.col(VALUE).cast("binary")),
            )
            wrong = bad.where("__hg_reason = 'wrong_type'").withColumn("__hg_field", blame)
            bad = bad.where("__hg_reason <> 'wrong_type'").unionAll(wrong)
        return bad.select(
            self._hour(),
            F.col("__hg_reason").alias("reason"),
            F.col("__hg_field").alias("field"),
            "raw_line",
            "source_object",
            "source_line",
        )

    def unknown_counts(self) -> dict[str, int]:
        """Silver rows by path of an unknown field (the most frequent 1,000 paths)."""
        return self._counts(UNKNOWN)

    def warnings(self) -> dict[str, int]:
        """Silver rows by rule that warned of them."""
        return self._counts(WARNED)

    def nulled(self) -> dict[str, int]:
        """Silver rows by field that lost a value which did not fit."""
        return self._counts(NULLED)

    def _counts(self, name: str) -> dict[str, int]:
        if not self._counted.listed.get(name):
            return {}
        found = (
            self._unique()
            .where(f"{name} IS NOT NULL")
            .select(F.explode(name).alias("path"))
            .groupBy("path")
            .count()
            .orderBy(F.desc("count"), "path")
            .limit(MAX_COUNTED)
        )
        return {row["path"]: row["count"] for row in found.collect()}

    def event_dates(self) -> list[str]:
        """The UTC dates of the silver rows' event times, in order."""
        if self._keys is None or len(self._counted.dates) < 2:
            return sorted(self._counted.dates)
        dates = self._unique().select(event_date(self._spec).alias("d")).distinct().collect()
        return sorted(row["d"].isoformat() for row in dates)


def _udf(function: Any, fields: tuple[Field, ...]) -> Any:
    return F.udf(partial(_call, function, fields), StringType())


def _call(function: Any, fields: tuple[Field, ...], line: bytes) -> str | None:
    result: str | None = function(bytes(line), fields)
    return result
