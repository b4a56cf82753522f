"""From the manifest's objects to numbered lines. Another format becomes another entry of READERS."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import BinaryType, BooleanType, LongType, StringType, StructField, StructType

import hg_gzip
from hg_spec import RefineError, SourceObject, Spec

LINES = StructType(
    [
        StructField("__hg_value", StringType()),  # the line's bytes, which may not be valid UTF-8
        StructField("__hg_path", StringType()),
        StructField("__hg_block", LongType()),  # where this split of the object begins
        StructField("__hg_damaged", BooleanType()),
    ]
)
LINE_BITS = 40  # a row's order is its object's rank << 40 | its line number


@dataclass(frozen=True)
class Block:
    """A run of lines that one Spark task read from one object; `first_id` and `last_id` are row ids."""

    path: str
    start: int
    first_id: int
    last_id: int
    lines: int


@dataclass(frozen=True)
class NumberedBlock:
    """A block with what turns a row id into a line number: source_line = id + shift."""

    path: str
    start: int
    uri: str
    rank: int
    shift: int


def read_lines(spark: SparkSession, spec: Spec, damaged: frozenset[str]) -> DataFrame:
    """The lines of exactly the manifest's objects.

    Args:
        spark: the session.
        spec: the batch's spec.
        damaged: URIs of gzip objects that Spark's own reader gives up on; they are read through Python.

    Returns:
        The columns of LINES and `__hg_id`, a row id that increases with the line inside a block.

    Raises:
        RefineError: the format has no reader, an object is gone, or a name cannot be read.
    """
    try:
        reader = READERS[spec.format]
    except KeyError:
        raise RefineError(
            f"source {spec.source} has format {spec.format}, refine reads {', '.join(READERS)}: correct its YAML"
        ) from None
    return reader(spark, spec, damaged).withColumn("__hg_id", F.monotonically_increasing_id())


def _json_lines(spark: SparkSession, spec: Spec, damaged: frozenset[str]) -> DataFrame:
    _check_compression(spec)
    sound = [o.uri for o in spec.objects if o.uri not in damaged]
    parts = []
    if sound:
        parts.append(_text(spark, sound))
    if damaged:
        parts.append(_damaged_text(spark, sorted(damaged)))
    if not parts:
        return spark.createDataFrame([], LINES)
    return parts[0] if len(parts) == 1 else parts[0].unionAll(parts[1])


READERS: dict[str, Callable[[SparkSession, Spec, frozenset[str]], DataFrame]] = {"json": _json_lines}


def _text(spark: SparkSession, uris: list[str]) -> DataFrame:
    reader = _exact(spark, "text").option("lineSep", "\n")
    frame = _load(reader, uris)
    return frame.select(
        F.col("value").alias("__hg_value"),
        F.col("_metadata.file_path").alias("__hg_path"),
        F.col("_metadata.file_block_start").alias("__hg_block"),
        F.lit(False).alias("__hg_damaged"),
    )


def _damaged_text(spark: SparkSession, uris: list[str]) -> DataFrame:
    content = _load(_exact(spark, "binaryFile"), uris).select("path", "content")
    schema = StructType([StructField("value", BinaryType()), *LINES.fields[1:]])
    frame = spark.createDataFrame(content.rdd.mapPartitions(_readable), schema)
    return frame.select(F.col("value").cast("string").alias("__hg_value"), *LINES.fieldNames()[1:])


def _readable(rows: Iterable[Row]) -> Iterator[tuple[bytes, str, int, bool]]:
    for row in rows:
        for line, damaged in hg_gzip.lines(bytes(row["content"])):
            yield line, quote(row["path"]), 0, damaged


def damaged_objects(spark: SparkSession, spec: Spec) -> frozenset[str]:
    """Check every gzip object of the manifest in parallel and name those that cannot be read to the end."""
    uris = [o.uri for o in spec.objects if is_gzip(o.uri)]
    if not uris:
        return frozenset()
    content = _load(_exact(spark, "binaryFile"), uris).select("path", "content")
    found = content.rdd.mapPartitions(_broken).collect()
    names = by_path(spec.objects)
    return frozenset(names[canonical(path)].uri for path in found)


def _broken(rows: Iterable[Row]) -> Iterator[str]:
    return (row["path"] for row in rows if hg_gzip.spark_gives_up(bytes(row["content"])))


def _exact(spark: SparkSession, source: str) -> Any:
    # Names are taken literally (no glob), and year=2021/ in a path is not a column.
    return spark.read.format(source).option("__globPaths__", "false").option("recursiveFileLookup", "true")


def _load(reader: Any, uris: list[str]) -> DataFrame:
    frame: DataFrame = reader.load(uris)
    found = {decoded(path) for path in frame.inputFiles()}
    lost = sorted(uri for uri in uris if canonical(uri) not in found)
    if lost:
        raise RefineError(
            f"{len(lost)} objects of the manifest cannot be read, the first is {lost[0]} (Spark skips names that "
            "begin with _ or .): leave such names out of the source's path template, then clear the sense task"
        )
    return frame


def is_gzip(uri: str) -> bool:
    """Whether Spark's reader takes the object for gzip, which it does by its name."""
    return uri.endswith(".gz")


def _check_compression(spec: Spec) -> None:
    if spec.compression in (None, "auto"):
        return
    wrong = [o.uri for o in spec.objects if is_gzip(o.uri) != (spec.compression == "gzip")]
    if wrong:
        raise RefineError(
            f"source {spec.source} says compression {spec.compression}, but {wrong[0]} is named otherwise "
            f"({len(wrong)} such objects): correct format.compression in its YAML, or use auto to go by the names"
        )


def canonical(path: str) -> str:
    """One spelling of an object's name: the manifest says file:///x where Hadoop says file:/x."""
    return re.sub(r"^file:/+", "file:/", path)


def decoded(path: str) -> str:
    """The canonical name behind a path of Spark's file metadata, which is percent-encoded."""
    return canonical(unquote(path))


def by_path(objects: Iterable[SourceObject]) -> dict[str, SourceObject]:
    """The manifest's objects by their canonical path."""
    return {canonical(o.uri): o for o in objects}


def number_blocks(blocks: Iterable[Block], objects: tuple[SourceObject, ...]) -> list[NumberedBlock]:
    """Turn row ids into line numbers: a block's first line follows the lines of the object's earlier blocks.

    Raises:
        RefineError: a block's rows are not consecutive, so that line numbers cannot be told.
    """
    names = by_path(objects)
    ranks = {o.uri: rank for rank, o in enumerate(sorted(objects, key=lambda o: o.uri))}
    before: dict[str, int] = {}
    numbered = []
    for block in sorted(blocks, key=lambda b: (b.path, b.start)):
        if block.last_id - block.first_id + 1 != block.lines:
            raise RefineError(
                f"{block.path} from byte {block.start}: {block.lines} lines have ids {block.first_id} to "
                f"{block.last_id}; this is a defect of refine, please report it with the spec file"
            )
        uri = names[decoded(block.path)].uri
        shift = before.get(uri, 0) + 1 - block.first_id
        numbered.append(NumberedBlock(block.path, block.start, uri, ranks[uri], shift))
        before[uri] = before.get(uri, 0) + block.lines
    return numbered
