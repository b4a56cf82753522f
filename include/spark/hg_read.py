"""From the manifest's objects to numbered lines. Another format becomes another entry of READERS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812

import hg_columnar
import hg_gzip
import hg_records
from hg_objects import BYTES, LINES, by_path, canonical, decoded, exact, from_python, is_gzip, load, place
from hg_spec import RefineError, SourceObject, Spec
from hg_sql import VALUE

COLUMNAR = ("parquet", "avro")  # compressed inside, whatever their names say
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
        damaged: URIs of objects that Spark's own reader gives up on.

    Returns:
        The columns of LINES, `__hg_raw` where a format has it, and `__hg_id`, a row id that increases with the
        line inside a block.

    Raises:
        RefineError: the format has no reader, an object is gone, or a name cannot be read.
    """
    try:
        reader = READERS[spec.format]
    except KeyError:
        raise RefineError(
            f"source {spec.source} has format {spec.format}, refine reads {', '.join(READERS)}: correct its YAML"
        ) from None
    dead, alive = _dead(spec), replace(spec, objects=tuple(o for o in spec.objects if not o.dead_letter))
    if spec.format not in COLUMNAR:
        _check_compression(alive)
    lines = reader(spark, alive, damaged)
    if dead.objects:
        fault = F.coalesce("__hg_fault", F.lit("dead_letter"))
        letters = _json_lines(spark, dead, damaged).withColumn("__hg_fault", fault)
        lines = lines.unionByName(letters, allowMissingColumns=True)
    return lines.withColumn("__hg_id", F.monotonically_increasing_id())


def _dead(spec: Spec) -> Spec:
    return replace(spec, objects=tuple(o for o in spec.objects if o.dead_letter))


def _json_lines(spark: SparkSession, spec: Spec, damaged: frozenset[str]) -> DataFrame:
    sound = [o.uri for o in spec.objects if o.uri not in damaged]
    broken = sorted(o.uri for o in spec.objects if o.uri in damaged)
    parts = []
    if sound:
        parts.append(_text(spark, sound))
    if broken:
        parts.append(_damaged_text(spark, broken))
    if not parts:
        return spark.createDataFrame([], LINES)
    return parts[0] if len(parts) == 1 else parts[0].unionAll(parts[1])


READERS: dict[str, Callable[[SparkSession, Spec, frozenset[str]], DataFrame]] = {
    "json": _json_lines,
    "json_array": hg_records.array_lines,
    "csv": hg_records.csv_lines,
    "parquet": hg_columnar.lines,
    "avro": hg_columnar.lines,
}


def _text(spark: SparkSession, uris: list[str]) -> DataFrame:
    frame = load(exact(spark, "text").option("lineSep", "\n"), uris)
    return frame.select(F.col("value").alias(VALUE), *place())


def _damaged_text(spark: SparkSession, uris: list[str]) -> DataFrame:
    content = load(exact(spark, "binaryFile"), uris).select("path", "content")
    return from_python(spark, content.rdd.mapPartitions(_readable), BYTES)


def _readable(rows: Iterable[Row]) -> Iterator[tuple[bytes, str, int, str | None]]:
    for row in rows:
        for line, damaged in hg_gzip.lines(bytes(row["content"])):
            yield line, quote(row["path"]), 0, "truncated_gzip" if damaged else None


def damaged_objects(spark: SparkSession, spec: Spec) -> frozenset[str]:
    """Check the manifest's objects and name those that Spark's reader cannot read to the end."""
    if spec.format not in COLUMNAR:
        return _damaged_gzip(spark, spec)
    alive = replace(spec, objects=tuple(o for o in spec.objects if not o.dead_letter))
    return hg_columnar.damaged_objects(spark, alive) | _damaged_gzip(spark, _dead(spec))


def _damaged_gzip(spark: SparkSession, spec: Spec) -> frozenset[str]:
    uris = [o.uri for o in spec.objects if is_gzip(o.uri)]
    if not uris:
        return frozenset()
    content = load(exact(spark, "binaryFile"), uris).select("path", "content")
    found = content.rdd.mapPartitions(_broken).collect()
    names = by_path(spec.objects)
    return frozenset(names[canonical(path)].uri for path in found)


def _broken(rows: Iterable[Row]) -> Iterator[str]:
    return (row["path"] for row in rows if hg_gzip.spark_gives_up(bytes(row["content"])))


def _check_compression(spec: Spec) -> None:
    if spec.compression in (None, "auto"):
        return
    wrong = [o.uri for o in spec.objects if is_gzip(o.uri) != (spec.compression == "gzip")]
    if wrong:
        raise RefineError(
            f"source {spec.source} says compression {spec.compression}, but {wrong[0]} is named otherwise "
            f"({len(wrong)} such objects): correct format.compression in its YAML, or use auto to go by the names"
        )


def number_blocks(blocks: Iterable[Block], objects: tuple[SourceObject, ...]) -> list[NumberedBlock]:
    """Turn row ids into line numbers: a block's first line follows the lines of the object's earlier blocks.

    Raises:
        RefineError: a block's rows are not consecutive, so that line numbers cannot be told.
    """
    names = by_path(objects)
    ranks = {o.uri: rank for rank, o in enumerate(sorted(objects, key=lambda o: o.uri))}
    before: dict[str, int] = {}
    numbered = []
    for block in sorted(blocks, key=lambda b: (decoded(b.path), b.start)):
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
