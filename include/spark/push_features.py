"""Push a large feature set: exported rows become rows of Bigtable, written by Spark's workers.

Run as `spark-submit --py-files hourglass.zip push_features.py SPEC_URI`. The zip file holds the code that the
Airflow worker uses for smaller sets (hourglass.features), so that both engines write the same bytes. Needs
google-cloud-bigtable, pyarrow and pandas (Spark asks for it), which Google's runtime brings.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

import hg_write

if TYPE_CHECKING:
    import pyarrow as pa


def run(spark: SparkSession, spec: dict[str, Any]) -> int:
    """Record the entities, then write the rows.

    Args:
        spark: the session.
        spec: where the rows are and where they go.

    Returns:
        The number of rows.
    """
    rows = spark.read.parquet(spec["rows"])
    # A record before the first row: what a killed job leaves is what the record says, or less. A line is the
    # entity as JSON text, and sorted bytes are sorted code points.
    text = (
        rows.select("entity").sortWithinPartitions("entity").select(F.to_json(F.array("entity")).alias("t"))
    )
    text.selectExpr("substring(t, 2, length(t) - 2) AS value").write.mode("overwrite").text(spec["record"])
    written = rows.mapInArrow(_writer(spec), "rows long").agg(F.sum("rows")).first()
    return int(written[0] or 0) if written else 0


def _writer(spec: dict[str, Any]) -> Any:
    def write(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa  # noqa: PLC0415
        from google.cloud.bigtable import Client

        from hourglass.features.push import Push  # noqa: PLC0415

        table = Client(project=spec["project"]).instance(spec["instance"]).table(spec["table"])
        rows = Push.from_json(spec["push"]).write(table, batches)
        yield pa.RecordBatch.from_pylist([{"rows": rows}], pa.schema([("rows", pa.int64())]))

    return write


def main(arguments: list[str]) -> int:
    """Run the job; the outcome is written last."""
    if len(arguments) != 1:
        sys.stderr.write("usage: push_features.py SPEC_URI\n")
        return 2
    spark = SparkSession.builder.appName("hourglass push").getOrCreate()
    spec = json.loads(hg_write.read_text(spark, arguments[0]))
    rows = run(spark, spec)
    hg_write.write_json(spark, spec["outcome"], {"rows": rows})
    sys.stdout.write(f"{rows} rows written to family {spec['push']['family']}\n")
    spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
