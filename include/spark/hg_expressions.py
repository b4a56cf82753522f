"""The source's own SQL, its rules and enrichment: analysed before any data is read."""

from __future__ import annotations

import re

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from hg_schema import scalar_type, struct_type
from hg_spec import RefineError, Spec

_TRIED = "__hg_tried"
_CLOCK = re.compile(r"\b(current_timestamp|current_date|now|localtimestamp|curdate)\(")


def check_expressions(spark: SparkSession, spec: Spec) -> None:
    """Analyse every rule and enrichment, an enrichment with the earlier ones in reach.

    Args:
        spark: the session.
        spec: the batch's spec.

    Raises:
        RefineError: an expression does not analyse, is not boolean (rules), cannot become its declared type
            (enrichment), or gives another value at another time.
    """
    row = spark.createDataFrame([], struct_type(spec.fields))
    for rule in spec.rules:
        where = f"source {spec.source}, rule {rule.name}, field {rule.field or 'not named'}"
        kind = _analysed(row, where, rule.expression, None).schema[_TRIED].dataType.simpleString()
        if kind != "boolean":
            raise RefineError(
                f"{where}: the expression is {kind}, not boolean: {rule.expression}; make it true for good rows and "
                "false for bad ones"
            )
    for item in spec.enrichment:
        where = f"source {spec.source}, enrichment {item.name}"
        cast = scalar_type(item.type, where).simpleString()
        row = _analysed(row, where, item.expression, cast).withColumnRenamed(_TRIED, item.name)


def _analysed(row: DataFrame, where: str, expression: str, cast: str | None) -> DataFrame:
    try:
        column = F.expr(expression)
        tried = row.select("*", (column.cast(cast) if cast else column).alias(_TRIED))
        plan = tried._jdf.queryExecution().analyzed()
        same_rows = column.alias(_TRIED)
        row.where(F.coalesce(same_rows.cast("string"), F.lit("")) == "")  # refuses what makes rows of a row
    except (AnalysisException, ParseException) as error:
        reason = str(error).strip().splitlines()[0]
        raise RefineError(
            f"{where}: the expression does not analyse: {expression}; {reason}; correct it in the source's YAML"
        ) from error
    if not plan.deterministic() or _CLOCK.search(plan.toString()):
        raise RefineError(
            f"{where}: the expression gives another value each time: {expression}; a re-run would give other rows, "
            "so leave out random values and the clock"
        )
    return tried
