"""Formats whose records Python takes out of an object's text: CSV and JSON arrays.

An object is read by one task, as a stream: what is held of it is a record, not the object. (A damaged gzip
object, which Spark cannot stream, is held whole.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, groupby
from urllib.parse import quote

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812

import hg_array
import hg_csv
import hg_gzip
from hg_objects import BYTES_WITH_RAW, exact, from_python, load
from hg_source import data_fields
from hg_spec import Csv, Field, Spec
from hg_sql import RAW

SPLITS = ("spark.sql.files.maxPartitionBytes", "spark.sql.files.openCostInBytes")
SMALLEST_SPLIT = 4 * 1024 * 1024  # Spark never cuts a smaller object
Split = Callable[[Iterable[bytes]], Iterator[hg_csv.Record]]


@dataclass(frozen=True)
class CsvRecords:
    """Takes the records out of a CSV object's text."""

    how: Csv
    fields: tuple[Field, ...]

    def __call__(self, pieces: Iterable[bytes]) -> Iterator[hg_csv.Record]:
        """The object's records."""
        return hg_csv.records(pieces, self.how, self.fields)


def array_elements(pieces: Iterable[bytes]) -> Iterator[hg_csv.Record]:
    """The elements of an object that is one JSON array, as records."""
    return (hg_csv.Record(text, None, fault) for text, fault in hg_array.elements(pieces))


def csv_lines(spark: SparkSession, spec: Spec, damaged: frozenset[str]) -> DataFrame:
    """The records of CSV objects as JSON text, with their raw text."""
    return _read(spark, spec, damaged, CsvRecords(spec.csv, data_fields(spec.fields)), "\n")


def array_lines(spark: SparkSession, spec: Spec, damaged: frozenset[str]) -> DataFrame:
    """The elements of JSON arrays."""
    # An array may be written on one line, which is then the object: it is read from object to object instead.
    return _read(spark, spec, damaged, array_elements, "},").drop(RAW)


def _read(
    spark: SparkSession, spec: Spec, damaged: frozenset[str], split: Split, separator: str
) -> DataFrame:
    sound = [o for o in spec.objects if o.uri not in damaged]
    broken = sorted(o.uri for o in spec.objects if o.uri in damaged)
    parts = []
    if sound:
        reader = exact(spark, "text").option("lineSep", separator)
        text = load(reader, [o.uri for o in sound]).select(
            F.col("value").cast("binary"), F.col("_metadata.file_path")
        )
        with _whole(spark, max(o.size for o in sound)):
            rows = text.rdd.mapPartitions(_Sound(split, separator.encode()))
        parts.append(from_python(spark, rows, BYTES_WITH_RAW))
    if broken:
        content = load(exact(spark, "binaryFile"), broken).select("path", "content")
        parts.append(from_python(spark, content.rdd.mapPartitions(_Broken(split)), BYTES_WITH_RAW))
    if not parts:
        return from_python(spark, [], BYTES_WITH_RAW)
    return parts[0] if len(parts) == 1 else parts[0].unionAll(parts[1])


@contextmanager
def _whole(spark: SparkSession, largest: int) -> Iterator[None]:
    """Let Spark plan one task for each object."""
    before = {name: spark.conf.get(name) for name in SPLITS}
    try:
        for name in SPLITS:
            spark.conf.set(name, str(max(SMALLEST_SPLIT, largest + 1)))
        yield
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)


Line = tuple[bytes, str, int, str | None, bytes | None]


@dataclass(frozen=True)
class _Sound:
    """Makes records of the pieces that Spark's text reader gives."""

    split: Split
    separator: bytes

    def __call__(self, rows: Iterable[Row]) -> Iterator[Line]:
        for path, found in groupby(rows, key=lambda row: row[1]):
            for record in self.split(self._pieces(found)):
                yield record.value, path, 0, record.fault, record.raw

    def _pieces(self, rows: Iterator[Row]) -> Iterator[bytes]:
        if self.separator == b"\n":
            return (bytes(row[0]) + b"\n" for row in rows)
        first = (bytes(row[0]) for row in rows)
        return chain((next(first),), (self.separator + piece for piece in first))


@dataclass(frozen=True)
class _Broken:
    """Makes records of whole gzip objects, as far as they can be read."""

    split: Split

    def __call__(self, rows: Iterable[Row]) -> Iterator[Line]:
        for row in rows:
            for record in self.split(hg_gzip.pieces(bytes(row["content"]))):
                yield record.value, quote(row["path"]), 0, record.fault, record.raw
