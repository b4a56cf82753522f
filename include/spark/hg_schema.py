"""From the source's schema to Spark types, SQL text and the columns of the two tables."""

from __future__ import annotations

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from hg_source import data_fields
from hg_spec import Field, RefineError, Spec
from hg_sql import quoted

SCALARS: dict[str, DataType] = {
    "STRING": StringType(),
    "JSON": StringType(),
    "INT64": LongType(),
    "INTEGER": LongType(),
    "FLOAT64": DoubleType(),
    "FLOAT": DoubleType(),
    "BOOL": BooleanType(),
    "BOOLEAN": BooleanType(),
    "TIMESTAMP": TimestampType(),
    "DATE": DateType(),
    "BYTES": BinaryType(),
    "NUMERIC": DecimalType(38, 9),
}
RECORDS = ("RECORD", "STRUCT")
PREFIX = "__hg_"  # the job's own columns beside the source's fields


def is_record(field: Field) -> bool:
    """Whether the field is a record (repeated or not)."""
    return field.type in RECORDS


def scalar_type(name: str, where: str) -> DataType:
    """The Spark type of a BigQuery scalar type.

    Raises:
        RefineError: the type is not supported.
    """
    try:
        return SCALARS[name.upper()]
    except KeyError:
        raise RefineError(
            f"{where} has type {name}, which refine cannot read: use one of {', '.join(sorted(SCALARS))} or RECORD"
        ) from None


def spark_type(field: Field) -> DataType:
    """The Spark type of a field, with REPEATED as an array."""
    inner = struct_type(field.fields) if is_record(field) else scalar_type(field.type, f"field {field.name}")
    return ArrayType(inner) if field.repeated else inner


def struct_type(fields: tuple[Field, ...]) -> StructType:
    """The Spark struct of some fields; everything is nullable, REQUIRED is checked by the classification."""
    return StructType([StructField(f.name, spark_type(f)) for f in fields])


def ddl(kind: DataType) -> str:
    """A type as SQL text; unlike Spark's own spelling it takes any field name."""
    if isinstance(kind, StructType):
        return f"struct<{','.join(f'{quoted(f.name)}:{ddl(f.dataType)}' for f in kind.fields)}>"
    if isinstance(kind, ArrayType):
        return f"array<{ddl(kind.elementType)}>"
    return str(kind.simpleString())


def silver_type(spec: Spec) -> StructType:
    """The silver table's columns, in order."""
    enriched = [StructField(e.name, scalar_type(e.type, f"enrichment {e.name}")) for e in spec.enrichment]
    return StructType(
        [
            *struct_type(spec.fields).fields,
            *enriched,
            StructField("landing_hour", TimestampType()),
            StructField("event_date", DateType()),
            StructField("source_object", StringType()),
            StructField("source_line", LongType()),
            StructField("unknown_fields", StringType()),
        ]
    )


def quarantine_type() -> StructType:
    """The quarantine table's columns, in order."""
    return StructType(
        [
            StructField("landing_hour", TimestampType()),
            StructField("reason", StringType()),
            StructField("field", StringType()),
            StructField("raw_line", BinaryType()),
            StructField("source_object", StringType()),
            StructField("source_line", LongType()),
        ]
    )


def check_names(spec: Spec) -> None:
    """Refuse a schema whose columns would collide.

    Raises:
        RefineError: two columns of the silver table have the same name (case does not count), or a key or
            the event time names a field that the schema does not have, or two fields read the same place.
    """
    seen: set[str] = set()
    for column in silver_type(spec).fieldNames():
        if column.lower() in seen or column.lower().startswith(PREFIX):
            raise RefineError(
                f"source {spec.source}, schema {spec.schema_version}: the column {column} would exist twice in "
                f"{spec.silver_table} (or begins with {PREFIX}): rename the field or the enrichment"
            )
        seen.add(column.lower())
    data_fields(spec.fields)  # refuses source paths that meet
