"""The manifest's objects as Spark reads them: exactly these, by their literal names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import BinaryType, LongType, StringType, StructField, StructType

from hg_spec import RefineError, SourceObject
from hg_sql import RAW, VALUE

LINES = StructType(
    [
        StructField(VALUE, StringType()),  # the line's bytes, which may not be valid UTF-8
        StructField("__hg_path", StringType()),
        StructField("__hg_block", LongType()),  # where this split of the object begins
        StructField("__hg_fault", StringType()),  # why the line is quarantined unseen, else NULL
    ]
)
# What Python gives, which may not be valid UTF-8 either.
BYTES = StructType([StructField(VALUE, BinaryType()), *LINES.fields[1:]])
BYTES_WITH_RAW = StructType([*BYTES.fields, StructField(RAW, BinaryType())])


def exact(spark: SparkSession, source: str) -> Any:
    """A reader that takes names literally (no glob) and year=2021/ in a path for no column."""
    return spark.read.format(source).option("__globPaths__", "false").option("recursiveFileLookup", "true")


def load(reader: Any, uris: list[str]) -> DataFrame:
    """Load exactly these objects.

    Raises:
        RefineError: Spark would skip one because of its name.
    """
    frame: DataFrame = reader.load(uris)
    found = {decoded(path) for path in frame.inputFiles()}
    lost = sorted(uri for uri in uris if canonical(uri) not in found)
    if lost:
        raise RefineError(
            f"{len(lost)} objects of the manifest cannot be read, the first is {lost[0]} (Spark skips names that "
            "begin with _ or .): leave such names out of the source's path template, then clear the sense task"
        )
    return frame


def place() -> list[Column]:
    """The columns of LINES behind the first, for a frame that was just loaded."""
    return [
        F.col("_metadata.file_path").alias("__hg_path"),
        F.col("_metadata.file_block_start").alias("__hg_block"),
        F.lit(None).cast("string").alias("__hg_fault"),
    ]


def from_python(spark: SparkSession, rows: Any, schema: StructType) -> DataFrame:
    """Lines from an RDD of tuples, with the bytes as texts."""
    # Checking the type of every value would cost as much as making it.
    frame = spark.createDataFrame(rows, schema, verifySchema=False)
    texts = [
        F.col(f.name).cast("string" if f.dataType == BinaryType() else f.dataType) for f in schema.fields
    ]
    return frame.select(*[text.alias(name) for text, name in zip(texts, schema.fieldNames(), strict=True)])


def canonical(path: str) -> str:
    """One spelling of an object's name: the manifest says file:///x where Hadoop says file:/x."""
    return re.sub(r"^file:/+", "file:/", path)


def decoded(path: str) -> str:
    """The canonical name behind a path of Spark's file metadata, which is percent-encoded."""
    return canonical(unquote(path))


def by_path(objects: Iterable[SourceObject]) -> dict[str, SourceObject]:
    """The manifest's objects by their canonical path."""
    return {canonical(o.uri): o for o in objects}


def is_gzip(uri: str) -> bool:
    """Whether Spark's reader takes the object for gzip, which it does by its name."""
    return uri.endswith(".gz")
