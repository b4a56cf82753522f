"""The two Iceberg tables: create, evolve, overwrite one landing hour, and say what was committed."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import ArrayType, DataType, StructType

from hg_spec import RefineError, Spec
from hg_sql import quoted, timestamp

TARGET_FILE_BYTES = 256 * 1024 * 1024
ANY_SCHEMA = "write.spark.accept-any-schema"
PROPERTIES = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "write.target-file-size-bytes": str(TARGET_FILE_BYTES),
    # An hour is one partition and its rows are already spread over the tasks: no shuffle before the write.
    "write.distribution-mode": "none",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "50",
    # A batch of an older schema version writes the columns it knows, and readers find NULL in the others.
    ANY_SCHEMA: "true",
    # Hours that commit at the same time retry on each other's commit.
    "commit.retry.num-retries": "20",
    "commit.retry.min-wait-ms": "100",
    "commit.retry.max-wait-ms": "10000",
    "commit.retry.total-timeout-ms": "600000",
}
COLUMN_TRIES = 20
OVERTAKEN = ("CommitFailedException", "FIELDS_ALREADY_EXISTS", "already exists")  # by another hour's batch
BATCH_PROPERTY = "hourglass-batch"


@dataclass(frozen=True)
class Committed:
    """What one overwrite left in the table: the snapshot's id and the hour's data files."""

    snapshot: str
    files: list[dict[str, Any]]

    @property
    def rows(self) -> int:
        """Rows of the hour, as the committed files count them."""
        return sum(f["rows"] for f in self.files)


def ensure_table(spark: SparkSession, table: str, wanted: StructType) -> None:
    """Create the table when missing and add the columns it lacks.

    Args:
        spark: the session.
        table: catalog.namespace.table.
        wanted: the columns this batch writes; the table may have more, of a newer schema version.

    Raises:
        RefineError: a column has another type than the schema says.
    """
    namespace = ".".join(quoted(part) for part in table.split(".")[:-1])
    name = ".".join(quoted(part) for part in table.split("."))
    spark.sql(f"CREATE NAMESPACE IF NOT EXISTS {namespace}")
    if not spark.catalog.tableExists(table):
        columns = ", ".join(f"{quoted(f.name)} {f.dataType.simpleString()}" for f in wanted.fields)
        properties = ", ".join(f"'{k}'='{v}'" for k, v in PROPERTIES.items())
        spark.sql(
            f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING iceberg PARTITIONED BY (hours(landing_hour)) "
            f"TBLPROPERTIES ({properties})"
        )
    elif ANY_SCHEMA not in {row[0] for row in spark.sql(f"SHOW TBLPROPERTIES {name}").collect()}:
        spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('{ANY_SCHEMA}' = '{PROPERTIES[ANY_SCHEMA]}')")
    _add_columns(spark, table, name, wanted)


def _add_columns(spark: SparkSession, table: str, name: str, wanted: StructType) -> None:
    """Add the columns that the table lacks.

    Iceberg retries the commit of rows on another batch's commit, but not that of columns: here the columns are
    read again, which may hold by now what another hour's batch added, and the rest is added to those.
    """
    for tries_left in reversed(range(COLUMN_TRIES)):
        try:
            for path, kind, after in missing_columns(spark.table(table).schema, wanted, table):
                position = f" AFTER {quoted(after)}" if after else " FIRST"
                spark.sql(f"ALTER TABLE {name} ADD COLUMN {path} {kind.simpleString()}{position}")
        except (AnalysisException, Py4JJavaError) as error:
            if not tries_left or not any(word in str(error) for word in OVERTAKEN):
                raise
            time.sleep(random.uniform(0.1, 1.0))  # noqa: S311  apart from the other batch, not secret
            spark.sql(f"REFRESH TABLE {name}")
        else:
            return


def missing_columns(
    have: StructType, wanted: StructType, table: str, prefix: str = ""
) -> list[tuple[str, DataType, str | None]]:
    """The columns to add, each with its type and the column it follows.

    Raises:
        RefineError: a column has another type than the schema says.
    """
    known = {f.name: f.dataType for f in have.fields}
    found: list[tuple[str, DataType, str | None]] = []
    after: str | None = None
    for field in wanted.fields:
        path = prefix + quoted(field.name)
        if field.name in known:
            found += _missing_inside(known[field.name], field.dataType, table, path)
        else:
            found.append((path, field.dataType, after))
        after = field.name
    return found


def _missing_inside(
    have: DataType, want: DataType, table: str, path: str
) -> list[tuple[str, DataType, str | None]]:
    if isinstance(have, StructType) and isinstance(want, StructType):
        return missing_columns(have, want, table, path + ".")
    if isinstance(have, ArrayType) and isinstance(want, ArrayType):
        return _missing_inside(have.elementType, want.elementType, table, path + ".element")
    if have != want:
        raise RefineError(
            f"{table}: the column {path} is {have.simpleString()}, the schema now says {want.simpleString()}: a "
            "column keeps its type for good; give the field a new name"
        )
    return []


def overwrite(frame: DataFrame, spec: Spec, table: str, columns: StructType, tasks: int) -> Committed:
    """Replace exactly the partition's landing hour, in one atomic commit.

    The data files have the batch's own columns, also where the table has more: the gate loads the files by
    the batch's schema.

    Args:
        frame: the hour's rows.
        spec: the batch's spec.
        table: catalog.namespace.table.
        columns: the columns to write (what ensure_table was given).
        tasks: how many tasks write, each at least one file.

    Returns:
        What the commit left.
    """
    spark = frame.sparkSession
    shaped = frame.select(*[F.col(quoted(name)) for name in columns.fieldNames()]).coalesce(tasks)
    hour = F.expr(timestamp(spec.start.isoformat()))
    (
        shaped.writeTo(table)
        .option(f"snapshot-property.{BATCH_PROPERTY}", spec.batch_id)
        .option("snapshot-property.hourglass-manifest", spec.manifest_hash)
        .option("check-ordering", "false")
        .overwrite(F.col("landing_hour") == hour)
    )
    return committed(spark, spec, table)


def committed(spark: SparkSession, spec: Spec, table: str) -> Committed:
    """Find this batch's snapshot and list the landing hour's data files in it.

    Raises:
        RefineError: the snapshot is not there, or the hour has delete files, which a load of the data files
            would ignore.
    """
    jvm: Any = spark._jvm
    iceberg = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, table)
    iceberg.refresh()
    mine = [s for s in iceberg.snapshots() if s.summary().get(BATCH_PROPERTY) == spec.batch_id]
    if not mine:
        raise RefineError(
            f"{table} has no snapshot of batch {spec.batch_id} right after its commit: did snapshot expiry run with "
            "an age of zero? Clear the refine task"
        )
    snapshot = max(mine, key=lambda s: int(s.sequenceNumber()))
    micros = int(spec.start.timestamp()) * 1_000_000
    hour = jvm.org.apache.iceberg.expressions.Expressions.equal("landing_hour", jvm.java.lang.Long(micros))
    tasks = iceberg.newScan().useSnapshot(snapshot.snapshotId()).filter(hour).planFiles()
    try:
        files = _files(tasks, table)
    finally:
        tasks.close()
    return Committed(str(snapshot.snapshotId()), sorted(files, key=lambda f: str(f["uri"])))


def _files(tasks: Any, table: str) -> list[dict[str, Any]]:
    files = {}
    found = tasks.iterator()
    while found.hasNext():
        task = found.next()
        if task.deletes().size():
            raise RefineError(
                f"{table}: the hour has delete files, so its data files alone do not hold its rows: rewrite the "
                "table's data files, then clear the refine task"
            )
        file = task.file()
        uri = str(file.location())
        files[uri] = {"uri": uri, "rows": int(file.recordCount()), "bytes": int(file.fileSizeInBytes())}
    return list(files.values())


def read_text(spark: SparkSession, uri: str) -> str:
    """The text of a small object, through Hadoop's file systems."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(uri)
    stream = path.getFileSystem(spark._jsc.hadoopConfiguration()).open(path)
    try:
        return bytes(jvm.org.apache.commons.io.IOUtils.toByteArray(stream)).decode()
    finally:
        stream.close()


def write_json(spark: SparkSession, uri: str, content: dict[str, Any]) -> None:
    """Write a JSON object, replacing what is there."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(uri)
    stream = path.getFileSystem(spark._jsc.hadoopConfiguration()).create(path, True)
    try:
        stream.write(bytearray(json.dumps(content, indent=1, sort_keys=True).encode()))
    finally:
        stream.close()
