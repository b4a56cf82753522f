"""Parquet and Avro: each record becomes the JSON text that the rest of the job judges.

Objects are read by groups of one schema, each with its own: Spark would read all of them with the schema of the
first, and fail where they differ.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from typing import Any
from urllib.parse import quote

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import BinaryType, DataType, LongType, StringType, StructType

from hg_objects import BYTES, exact, from_python, load, place
from hg_source import data_fields
from hg_spec import Spec
from hg_sql import VALUE, from_json, literal, quoted

UNREADABLE = "unreadable_object"
LAST_BLOCK = 2**62  # the line for what cannot be read follows the object's records
FOOTERS_AT_ONCE = 8
SYNC_BYTES = 16  # Avro's mark behind the header and behind every block
JSON_OPTIONS = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
    "dateFormat": "yyyy-MM-dd",
    "timeZone": "UTC",
}
# Dates before 1582 mean what they say; Spark would refuse them for fear of old writers.
READ_OPTIONS = {"datetimeRebaseMode": "CORRECTED"}
NANOS = "TIMESTAMP(NANOS"


@dataclass(frozen=True)
class Schema:
    """An object's own schema: its text, and the paths of the columns that count nanoseconds since 1970."""

    text: str
    nanos: frozenset[tuple[str, ...]] = frozenset()
    cut: bool = False  # an Avro object whose end is missing, at which Avro's reader stops without a word


def lines(spark: SparkSession, spec: Spec, damaged: frozenset[str]) -> DataFrame:
    """The records of Parquet or Avro objects.

    Args:
        spark: the session.
        spec: the batch's spec.
        damaged: URIs of objects that cannot be read to their end; what can be read of them is.

    Returns:
        The columns of LINES. An object that cannot be read to its end has one more line, of fault unreadable_object.
    """
    schemas = _schemas(spark, spec)
    lost = [uri for uri, schema in schemas.items() if schema is None]
    groups: dict[tuple[Schema, bool], list[str]] = defaultdict(list)
    for uri, schema in schemas.items():
        if schema is not None:
            groups[schema, schema.cut or uri in damaged].append(uri)
    parts = []
    for (schema, broken), uris in groups.items():
        try:
            parts.append(_as_json(_loaded(spark, spec, uris, broken), schema, spec))
        except AnalysisException as error:
            if "PATH_NOT_FOUND" in str(error):
                raise
            lost += uris  # columns that Spark has no type for
        else:
            lost += uris if broken else []
    marks = [(b"", quote(uri), LAST_BLOCK, UNREADABLE) for uri in sorted(lost)]
    if marks or not parts:
        parts.append(from_python(spark, marks, BYTES))
    return reduce(DataFrame.unionAll, parts)


def damaged_objects(spark: SparkSession, spec: Spec) -> frozenset[str]:
    """Read every object on its own and name those that cannot be read to the end."""
    return frozenset(o.uri for o in spec.objects if _breaks(spark, spec, o.uri))


def _breaks(spark: SparkSession, spec: Spec, uri: str) -> bool:
    """Whether an object cannot be read, although its bytes can; an object without a schema is told already."""
    schema = _schema(spark, spec.format, uri)
    if schema is None or not _fails(spark, spec, uri):
        return False
    load(exact(spark, "binaryFile"), [uri]).select(F.length("content")).collect()
    return _fails(spark, spec, uri)


def _fails(spark: SparkSession, spec: Spec, uri: str) -> bool:
    try:
        _loaded(spark, spec, [uri], False).write.format("noop").mode("overwrite").save()
    except AnalysisException:
        return False
    except Py4JJavaError as error:
        if "FileNotFoundException" in str(error):
            raise
        return True
    return False


def _loaded(spark: SparkSession, spec: Spec, uris: list[str], broken: bool) -> DataFrame:
    reader = exact(spark, spec.format).options(**READ_OPTIONS)
    if spec.format == "parquet":
        reader = reader.option("int96RebaseMode", "CORRECTED").option("mergeSchema", "false")
    return load(reader.option("ignoreCorruptFiles", str(broken).lower()), uris)


def _schemas(spark: SparkSession, spec: Spec) -> dict[str, Schema | None]:
    uris = [o.uri for o in spec.objects]
    with ThreadPoolExecutor(FOOTERS_AT_ONCE) as pool:
        found = pool.map(lambda uri: _schema(spark, spec.format, uri), uris)
        return dict(zip(uris, found, strict=True))


def _schema(spark: SparkSession, kind: str, uri: str) -> Schema | None:
    """An object's schema, None when the object has none that can be read."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(uri)
    configuration = spark._jsc.hadoopConfiguration()
    try:
        return (_parquet_schema if kind == "parquet" else _avro_schema)(jvm, path, configuration)
    except Py4JJavaError as error:
        if "FileNotFoundException" in str(error):
            raise
        return None


def _parquet_schema(jvm: Any, path: Any, configuration: Any) -> Schema:
    parquet = jvm.org.apache.parquet.hadoop
    reader = parquet.ParquetFileReader.open(parquet.util.HadoopInputFile.fromPath(path, configuration))
    try:
        meta = reader.getFooter().getFileMetaData()
        sparks_own = meta.getKeyValueMetaData().get("org.apache.spark.sql.parquet.row.metadata")
        schema = meta.getSchema()
        text = str(schema.toString())
        nanos = frozenset(_nanos(schema) if NANOS in text else ())
        return Schema(f"{text}{sparks_own}", nanos)
    finally:
        reader.close()


def _nanos(schema: Any) -> Iterator[tuple[str, ...]]:
    for column in schema.getColumns():
        kind = column.getPrimitiveType().getLogicalTypeAnnotation()
        if kind is not None and str(kind.toString()).startswith(NANOS):
            yield tuple(column.getPath())


def _avro_schema(jvm: Any, path: Any, configuration: Any) -> Schema:
    source = jvm.org.apache.avro.mapred.FsInput(path, configuration)
    try:
        reader = jvm.org.apache.avro.file.DataFileReader.openReader(
            source, jvm.org.apache.avro.generic.GenericDatumReader()
        )
        mark = reader.previousSync() - SYNC_BYTES
        stream = path.getFileSystem(configuration).open(path)
        try:
            marks = [_bytes_at(jvm, stream, at) for at in (mark, source.length() - SYNC_BYTES)]
        finally:
            stream.close()
        return Schema(str(reader.getSchema().toString()), cut=marks[0] != marks[1])
    finally:
        source.close()


def _bytes_at(jvm: Any, stream: Any, at: int) -> bytes:
    stream.seek(at)
    return bytes(jvm.org.apache.commons.io.IOUtils.toByteArray(stream, SYNC_BYTES))


def _as_json(frame: DataFrame, schema: Schema, spec: Spec) -> DataFrame:
    known = {f.name: f for f in data_fields(spec.fields)}
    columns: list[str] = []
    embedded: list[str] = []
    for field in frame.schema.fields:
        here = quoted(field.name)
        shown = _plain(here, field.dataType, (field.name,), schema.nanos)
        wanted = known.get(field.name)
        if wanted and wanted.type == "STRING" and isinstance(field.dataType, BinaryType):
            shown = f"CAST({here} AS STRING)"  # old writers mark no text as such
        if wanted and wanted.type == "JSON" and isinstance(field.dataType, StringType):
            embedded.append(field.name)
        else:
            columns.append(f"{shown} AS {here}")
    options = ", ".join(f"{literal(k)}, {literal(v)}" for k, v in JSON_OPTIONS.items())
    value = f"to_json(struct({', '.join(columns)}), map({options}))" if columns else "'{}'"
    loaded = frame.select(F.expr(value).alias(VALUE), *map(quoted, embedded), *place())
    for name in embedded:
        loaded = loaded.withColumn(VALUE, F.expr(_with_json(name)))
    return loaded.drop(*embedded)


def _with_json(name: str) -> str:
    """SQL for the record with a text column as the JSON it holds; a text that is no JSON becomes a JSON string."""
    here = quoted(name)
    one = f"size({from_json(_listed(here, ',0'), 'array<string>')}) = 2"
    string = f"to_json(array({here}))"
    text = f"CASE WHEN {one} THEN {here} ELSE substring({string}, 2, length({string}) - 2) END"
    key = literal(json.dumps(name, ensure_ascii=False) + ":")
    begin = f"CASE WHEN {VALUE} = '{{}}' THEN '{{' ELSE concat(left({VALUE}, length({VALUE}) - 1), ',') END"
    return f"CASE WHEN {here} IS NULL THEN {VALUE} ELSE concat({begin}, {key}, {text}, '}}') END"


def _listed(here: str, end: str) -> str:
    return f"concat('[', {here}, '{end}]')"


def _plain(here: str, kind: DataType, path: tuple[str, ...], nanos: frozenset[tuple[str, ...]]) -> str:
    """SQL for a column with counts of nanoseconds as timestamps (not inside of lists)."""
    if not any(p[: len(path)] == path for p in nanos):
        return here
    if isinstance(kind, LongType):
        # Rounded down before 1970 too; a double would lose digits.
        return f"timestamp_micros(({here} - pmod({here}, 1000)) div 1000)"
    if isinstance(kind, StructType):
        inner = ", ".join(
            f"{_plain(f'{here}.{quoted(f.name)}', f.dataType, (*path, f.name), nanos)} AS {quoted(f.name)}"
            for f in kind.fields
        )
        return f"CASE WHEN {here} IS NOT NULL THEN struct({inner}) END"
    return here
