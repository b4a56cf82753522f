"""From judged lines to the rows of the two tables: line numbers, duplicates, enrichment."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import StringType

import hg_json
from hg_read import LINE_BITS, Block, number_blocks
from hg_schema import scalar_type
from hg_spec import Field, Spec
from hg_sql import VALUE, dotted, quoted, timestamp

BROADCAST_KEYS = 200_000  # more duplicated keys than this are joined by shuffling, not held in memory
SMALL_FILE_BYTES = 32 * 1024 * 1024
MAX_UNKNOWN_PATHS = 1000
BLOCK_COLUMNS = (
    "__hg_path string, __hg_block bigint, source_object string, __hg_rank bigint, __hg_shift bigint"
)


@dataclass
class Tally:
    """What one pass over the judged lines counted."""

    blocks: list[Block] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    bad_bytes: int = 0
    unknown: int = 0
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
    date = F.when(F.col("__hg_reason").isNull(), event_date(spec).cast("string"))
    groups = (
        rows.groupBy("__hg_path", "__hg_block", "__hg_reason", date.alias("date"))
        .agg(
            F.count(F.lit(1)).alias("n"),
            F.min("__hg_id").alias("first"),
            F.max("__hg_id").alias("last"),
            F.sum(
                F.expr(f"CASE WHEN __hg_reason IS NOT NULL THEN length(CAST({VALUE} AS BINARY)) ELSE 0 END")
            ).alias("bytes"),
            F.count("__hg_unknown").alias("unknown"),
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
            result.unknown += row["unknown"]
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
    size = sum(o.size if o.uri.endswith(".gz") else o.size // 5 for o in spec.objects)
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
        rows = self._unique()
        if self._counted.unknown:
            kept = _udf(hg_json.unknown_text, self._spec.fields)(F.col(VALUE).cast("binary"))
            plain = rows.where("__hg_unknown IS NULL").withColumn(
                "unknown_fields", F.lit(None).cast("string")
            )
            rows = plain.unionAll(rows.where("__hg_unknown IS NOT NULL").withColumn("unknown_fields", kept))
        else:
            rows = rows.withColumn("unknown_fields", F.lit(None).cast("string"))
        for item in self._spec.enrichment:
            kind = scalar_type(item.type, item.name).simpleString()
            rows = rows.withColumn(item.name, F.expr(f"CAST((\n{item.expression}\n) AS {kind})"))
        return rows.select(
            *[quoted(f.name) for f in self._spec.fields],
            *[quoted(e.name) for e in self._spec.enrichment],
            self._hour(),
            event_date(self._spec).alias("event_date"),
            "source_object",
            "source_line",
            "unknown_fields",
        )

    def _hour(self) -> Any:
        return F.expr(timestamp(self._spec.start.isoformat())).alias("landing_hour")

    def quarantined(self) -> DataFrame:
        """The rows of the quarantine table."""
        bad = self._rows.where("__hg_reason IS NOT NULL").withColumn("raw_line", F.col(VALUE).cast("binary"))
        if self._counted.reasons.get("wrong_type"):
            blame = F.coalesce(
                "__hg_field", _udf(hg_json.offending_field, self._spec.fields)(F.col("raw_line"))
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
        if not self._counted.unknown:
            return {}
        found = (
            self._unique()
            .where("__hg_unknown IS NOT NULL")
            .select(F.explode("__hg_unknown").alias("path"))
            .groupBy("path")
            .count()
            .orderBy(F.desc("count"), "path")
            .limit(MAX_UNKNOWN_PATHS)
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
