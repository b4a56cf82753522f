"""A small batch that uses what refine uses, so that Java's start-up archive holds those classes.

Run by Spark, with the URI of a gzipped file of JSON lines as its argument.
"""

from __future__ import annotations

import sys

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - Spark's own convention

_SCHEMA = "STRUCT<id: STRING, actor: STRUCT<login: STRING>, tags: ARRAY<STRING>, created_at: TIMESTAMP>"


def main(uri: str) -> None:
    """Read, parse, deduplicate and write `uri` as the refine job does.

    Args:
        uri: a gs:// URI.
    """
    spark = SparkSession.builder.getOrCreate()
    spark.sql("CREATE NAMESPACE IF NOT EXISTS lake.training")
    spark.sql(
        "CREATE TABLE IF NOT EXISTS lake.training.events (id STRING, login STRING, tags ARRAY<STRING>, "
        "created_at TIMESTAMP, hour TIMESTAMP) USING iceberg PARTITIONED BY (hour) "
        "TBLPROPERTIES ('format-version'='2', 'write.parquet.compression-codec'='zstd')"
    )
    lines = spark.read.text(uri).withColumn("object", F.input_file_name())
    parsed = lines.withColumn("event", F.from_json("value", _SCHEMA)).persist()
    order = Window.partitionBy("event.id").orderBy("object", F.monotonically_increasing_id())
    kept = (
        parsed.filter("event IS NOT NULL").withColumn("rank", F.row_number().over(order)).filter("rank = 1")
    )
    keys = F.broadcast(kept.select(F.col("event.id").alias("key")).distinct())
    rows = kept.join(keys, F.col("event.id") == keys.key, "left_semi").selectExpr(
        "event.id",
        "event.actor.login",
        "event.tags",
        "event.created_at",
        "timestamp'2021-07-21 06:00:00' AS hour",
    )
    rows.writeTo("lake.training.events").overwrite(F.expr("hour = timestamp'2021-07-21 06:00:00'"))
    spark.table("lake.training.events").groupBy("hour").agg(F.count("*"), F.min("created_at")).collect()
    spark.sql("SELECT file_path, record_count FROM lake.training.events.files").collect()
    spark.sql("SELECT snapshot_id FROM lake.training.events.snapshots").collect()
    _write_object(spark, uri + ".outcome")


def _write_object(spark: SparkSession, uri: str) -> None:
    """Look up and write an object through Hadoop's file system, as refine does for its outcome file."""
    path = spark._jvm.org.apache.hadoop.fs.Path(uri)
    files = path.getFileSystem(spark._jsc.hadoopConfiguration())
    stream = files.create(path, True)
    stream.write(bytearray(b"{}"))
    stream.close()
    files.getGcsFs().getFileInfo(files.getGcsPath(path)).getItemInfo().getContentGeneration()


if __name__ == "__main__":
    main(sys.argv[1])
