"""Lines about which a replay has decided: they are quarantined, whatever else could be said of them.

A quarantined line that was repaired and landed again must not count a second time when a later rule accepts it, nor may
a replayed line whose original was replaced. The spec names both; their own reasons, if they have one, stay.
"""

from __future__ import annotations

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from hg_read import number_blocks
from hg_rows import Tally
from hg_spec import RefineError, Spec


def settled(spark: SparkSession, rows: DataFrame, spec: Spec, counted: Tally) -> DataFrame:
    """The judged lines, those that the spec settles with a reason.

    Args:
        spark: the session.
        rows: the judged lines, persisted.
        spec: the batch's spec.
        counted: what was counted of them.

    Returns:
        All judged lines, newly persisted.

    Raises:
        RefineError: a line that the spec settles is not there.
    """
    blocks = spark.createDataFrame(
        [(b.path, b.start, b.uri, b.shift) for b in number_blocks(counted.blocks, spec.objects)],
        "__hg_path string, __hg_block bigint, __hg_uri string, __hg_shift bigint",
    )
    known = spark.createDataFrame(
        [(s.uri, s.line, s.reason) for s in spec.settled],
        "__hg_uri string, __hg_line bigint, __hg_settled string",
    )
    placed = rows.join(F.broadcast(blocks), ["__hg_path", "__hg_block"]).withColumn(
        "__hg_line", F.expr("__hg_id + __hg_shift")
    )
    joined = placed.join(F.broadcast(known), ["__hg_uri", "__hg_line"], "left")
    found = joined.where("__hg_settled IS NOT NULL").count()
    if found != len(spec.settled):
        raise RefineError(
            f"{spec.source} {spec.partition}: {len(spec.settled)} lines were replayed or belong to replays that are "
            f"void, but only {found} of them are in the objects; the format's settings have changed since, so "
            "that lines are numbered in another way: remove the replay objects (hourglass-replay-…) from the "
            "partition's prefix, clear the sense task, and replay anew"
        )
    reason = F.coalesce("__hg_reason", "__hg_settled")
    result = joined.withColumn("__hg_reason", reason).select(*rows.columns)
    return result.persist(StorageLevel.DISK_ONLY)
