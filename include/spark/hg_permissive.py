"""Validation `permissive`: a line that only has values of a wrong type in NULLABLE fields loses those values.

The lines were judged once; only those of reason wrong_type are repaired and judged again.
"""

from __future__ import annotations

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import ArrayType, StringType, StructField, StructType

from hg_classify import classify
from hg_repair import Repairer
from hg_spec import Spec
from hg_sql import KEPT, NULLED, RAW, VALUE

_REPAIRED = StructType(
    [
        StructField("value", StringType()),
        StructField("kept", StringType()),
        StructField("nulled", ArrayType(StringType())),
    ]
)


def judged_again(rows: DataFrame, spec: Spec) -> tuple[DataFrame, DataFrame]:
    """Repair and judge again the lines of reason wrong_type.

    Args:
        rows: the judged lines, persisted.
        spec: the batch's spec.

    Returns:
        All judged lines, and the part of them that is newly persisted.
    """
    again = classify(_repaired(rows.where("__hg_reason = 'wrong_type'"), spec), spec)
    again = again.persist(StorageLevel.DISK_ONLY)
    others = rows.where("__hg_reason IS NULL OR __hg_reason <> 'wrong_type'")
    return others.unionByName(again, allowMissingColumns=True), again


def _repaired(wrong: DataFrame, spec: Spec) -> DataFrame:
    required = frozenset([spec.event_time.field] if spec.event_time else [])
    repairer = Repairer.of(spec.fields, required, frozenset(item.field for item in spec.pii))
    function = F.udf(lambda line: repairer.repair(bytes(line)), _REPAIRED)
    raw = F.coalesce(RAW, VALUE) if RAW in wrong.columns else F.col(VALUE)
    place = ("__hg_path", "__hg_block", "__hg_id")
    tried = wrong.select(
        VALUE, raw.alias(RAW), *place, function(F.col(VALUE).cast("binary")).alias("__hg_tried")
    )
    return tried.select(
        F.coalesce("__hg_tried.value", VALUE).alias(VALUE),
        RAW,
        F.col("__hg_tried.kept").alias(KEPT),
        F.col("__hg_tried.nulled").alias(NULLED),
        *place,
        F.lit(None).cast("string").alias("__hg_fault"),
    )
