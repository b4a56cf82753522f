"""Every line becomes valid or quarantined, with the first reason that applies. SQL text, evaluated by Spark.

A line is parsed once, as `[line, sentinel]`: the sentinel comes back as second element only when the line is
exactly one JSON object that fits the schema. Only lines that fail this are looked at again to tell why.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import hg_unknown
from hg_schema import is_record, literal, quoted, scalar_type, spark_type, struct_type
from hg_spec import Field, RefineError, Spec
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import LongType

SENTINEL = "__hg_end"
SENTINEL_VALUE = 7308332182  # any number; a line that carries it on purpose only harms itself
TIMESTAMP_FORMAT = "yyyy-MM-dd['T'][' ']HH:mm[:ss][.SSSSSSSSS][XXX][XX][X][' UTC']"
OPTIONS = {
    "mode": "PERMISSIVE",
    "allowNonNumericNumbers": "false",
    "allowSingleQuotes": "false",
    # Spark's default formats take "12:30" for a time of today, so that a re-run would give other rows.
    "timestampFormat": TIMESTAMP_FORMAT,
    "dateFormat": "yyyy-MM-dd",
    "enableDateTimeParsingFallback": "false",
    "timeZone": "UTC",
}
SESSION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",  # otherwise 2025-13-02 fails the whole job
    "spark.sql.json.enablePartialResults": "false",  # one bad field makes the whole line bad
    "spark.sql.caseSensitive": "false",
}
VALUE = "__hg_value"


def from_json(text: str, ddl: str) -> str:
    """SQL for from_json with the job's strict options."""
    options = ", ".join(f"{literal(k)}, {literal(v)}" for k, v in OPTIONS.items())
    return f"from_json({text}, {literal(ddl)}, map({options}))"


def classify(lines: DataFrame, spec: Spec) -> DataFrame:
    """Parse and judge every line.

    Args:
        lines: what hg_read.read_lines gives.
        spec: the batch's spec.

    Returns:
        The schema's fields (NULL for a line that does not parse), `__hg_path`, `__hg_block`, `__hg_id`,
        `__hg_reason` and `__hg_field` (NULL for a valid line), `__hg_unknown` (paths of the fields that the
        schema does not name, NULL when none) and `__hg_value` (NULL when the raw line is not needed again).
    """
    parsed = lines.select("*", F.expr(_parse(spec.fields)).alias("__hg_pair"))
    fits = (
        "NOT __hg_damaged AND size(__hg_pair) = 2 "
        f"AND __hg_pair[1].{SENTINEL} = {SENTINEL_VALUE} "
        f"AND __hg_pair[0] IS NOT NULL AND __hg_pair[0].{SENTINEL} IS NULL"
    )
    row = "__hg_pair[0]"
    flat = parsed.select(
        "__hg_value",
        "__hg_path",
        "__hg_block",
        "__hg_id",
        "__hg_damaged",
        F.expr(f"coalesce({fits}, false)").alias("__hg_fits"),
        F.expr(f"decode(CAST({VALUE} AS BINARY), 'UTF-8') = {VALUE}").alias("__hg_utf8"),
        *[F.expr(f"{row}.{quoted(f.name)}").alias(f.name) for f in spec.fields],
    )
    levels = hg_unknown.level_columns(spec.fields, from_json)
    flat = flat.select("*", *[F.expr(sql).alias(name) for name, sql in levels.items()]) if levels else flat
    checked = flat.select(
        "*",
        F.expr(_first(_bad_values(spec.fields))).alias("__hg_bad"),
        F.expr(_first(_missing(spec))).alias("__hg_missing"),
        F.expr(hg_unknown.paths(spec.fields)).alias("__hg_unknown"),
    )
    judged = checked.select("*", F.expr(_reason(spec)).alias("__hg_reason"))
    return judged.select(
        *[quoted(f.name) for f in spec.fields],
        "__hg_path",
        "__hg_block",
        "__hg_id",
        "__hg_unknown",
        "__hg_reason",
        F.expr(_field(spec)).alias("__hg_field"),
        F.expr(f"CASE WHEN __hg_reason IS NOT NULL OR __hg_unknown IS NOT NULL THEN {VALUE} END").alias(
            VALUE
        ),
    )


def _parse(fields: tuple[Field, ...]) -> str:
    ddl = f"array<{struct_type(fields).add(SENTINEL, LongType()).simpleString()}>"
    end = literal(f',{{"{SENTINEL}":{SENTINEL_VALUE}}}]')
    return from_json(f"concat('[', {VALUE}, {end})", ddl)


def _first(cases: Iterator[tuple[str, str]]) -> str:
    """SQL for the path of the first case whose condition holds, else NULL."""
    branches = " ".join(f"WHEN {condition} THEN {literal(path)}" for condition, path in cases)
    return f"CASE WHEN NOT __hg_fits THEN NULL {branches} END"


def _reason(spec: Spec) -> str:
    one_value = f"size({from_json(_then_end(), 'array<string>')}) = 2"
    an_object = f"{from_json(VALUE, 'map<string,string>')} IS NOT NULL"
    unparsed = (
        f"CASE WHEN {VALUE} RLIKE '^[ \\\\t\\\\r]*$' THEN 'blank_line' WHEN NOT __hg_utf8 THEN 'invalid_utf8' "
        f"WHEN {one_value} THEN 'wrong_type' WHEN {an_object} THEN 'trailing_data' ELSE 'not_json' END"
    )
    cases = [
        ("__hg_damaged", "'truncated_gzip'"),
        ("NOT __hg_fits", unparsed),
        ("NOT __hg_utf8", "'invalid_utf8'"),
        ("__hg_bad IS NOT NULL", "'wrong_type'"),
        ("__hg_missing IS NOT NULL", "'missing_required'"),
    ]
    if spec.event_time:
        cases.append((_out_of_range(spec), "'event_time_out_of_range'"))
    if spec.unknown_fields == "quarantine":
        cases.append(("__hg_unknown IS NOT NULL", "'unknown_field'"))
    cases += [(f"NOT coalesce({r.expression}, true)", literal(r.name)) for r in spec.rules]
    return "CASE " + " ".join(f"WHEN {when} THEN {then}" for when, then in cases) + " END"


def _then_end() -> str:
    return f"concat('[', {VALUE}, ',0]')"


def _field(spec: Spec) -> str:
    cases = [("wrong_type", "__hg_bad"), ("missing_required", "__hg_missing")]
    if spec.event_time:
        cases.append(("event_time_out_of_range", literal(spec.event_time.field)))
    cases.append(("unknown_field", "__hg_unknown[0]"))
    cases += [(r.name, literal(r.field)) for r in spec.rules if r.field]
    branches = " ".join(f"WHEN {literal(reason)} THEN {field}" for reason, field in cases)
    return f"CASE __hg_reason {branches} END"


def _out_of_range(spec: Spec) -> str:
    assert spec.event_time is not None  # noqa: S101 (the caller asked)
    low = spec.start - timedelta(seconds=spec.event_time.max_lateness_seconds)
    high = spec.end + timedelta(seconds=spec.event_time.max_ahead_seconds)
    moment = dotted(spec.event_time.field)
    return f"({moment} < {timestamp(low.isoformat())} OR {moment} >= {timestamp(high.isoformat())})"


def timestamp(iso: str) -> str:
    """SQL for a moment; the text carries its own offset."""
    return f"timestamp{literal(iso)}"


def dotted(path: str) -> str:
    """A path such as actor.id as SQL."""
    return ".".join(quoted(part) for part in path.split("."))


def _missing(spec: Spec) -> Iterator[tuple[str, str]]:
    """What must be there and is not; a record's own fields only when the record is there."""
    yield from _missing_in(spec.fields, "", "", 0)
    if spec.event_time:
        # Without it an event has no date, so it is required whatever the schema says.
        yield f"{dotted(spec.event_time.field)} IS NULL", spec.event_time.field
    # A NULL element has no place in a BigQuery list: it would stop the load of the whole hour.


def _missing_in(fields: tuple[Field, ...], at: str, path: str, depth: int) -> Iterator[tuple[str, str]]:
    for field in fields:
        here = f"{at}.{quoted(field.name)}" if at else quoted(field.name)
        name = f"{path}.{field.name}" if path else field.name
        if field.required:
            yield f"{here} IS NULL", name
        if field.repeated:
            item = f"x{depth}"
            yield f"exists({here}, {item} -> {item} IS NULL)", name
            for condition, inner in _missing_in(field.fields, item, name, depth + 1):
                yield f"exists({here}, {item} -> {condition})", inner
        elif is_record(field):
            for condition, inner in _missing_in(field.fields, here, name, depth):
                yield f"({here} IS NOT NULL AND {condition})", inner


def _bad_values(
    fields: tuple[Field, ...], at: str = "", path: str = "", depth: int = 0
) -> Iterator[tuple[str, str]]:
    """Values that Spark's parser lets through and BigQuery or the schema does not."""
    for field in fields:
        here = f"{at}.{quoted(field.name)}" if at else quoted(field.name)
        name = f"{path}.{field.name}" if path else field.name
        item = f"x{depth}" if field.repeated else here
        inner = depth + 1 if field.repeated else depth
        cases = (
            _bad_values(field.fields, item, name, inner)
            if is_record(field)
            else _bad_scalar(field, item, name)
        )
        for condition, where in cases:
            yield (f"exists({here}, {item} -> {condition})" if field.repeated else condition), where


def _bad_scalar(field: Field, here: str, name: str) -> Iterator[tuple[str, str]]:
    if field.type in ("FLOAT64", "FLOAT"):
        yield f"abs({here}) = double('Infinity')", name
    if field.type == "TIMESTAMP":
        low, high = timestamp("0001-01-01T00:00:00Z"), timestamp("9999-12-31T23:59:59.999999Z")
        yield f"({here} < {low} OR {here} > {high})", name


def check_expressions(spark: SparkSession, spec: Spec) -> None:
    """Analyse every rule and enrichment before any data is read.

    Raises:
        RefineError: an expression does not analyse, is not boolean (rules), or gives another value each time.
    """
    empty = spark.createDataFrame([], struct_type(spec.fields))
    for rule in spec.rules:
        where = f"rule {rule.name}" + (f" on field {rule.field}" if rule.field else "")
        tried = _analysed(empty, where, f"coalesce({rule.expression}, true)", spec)
        if tried.schema["__hg_tried"].dataType.simpleString() != "boolean":
            raise RefineError(
                f"source {spec.source}, {where}: the expression is not boolean: {rule.expression}; make it true "
                "for good rows and false for bad ones"
            )
    for item in spec.enrichment:
        where = f"enrichment {item.name}"
        kind = scalar_type(item.type, where).simpleString()
        tried = _analysed(empty, where, f"CAST({item.expression} AS {kind})", spec)
        empty = tried.withColumnRenamed("__hg_tried", item.name)


def _analysed(frame: DataFrame, where: str, expression: str, spec: Spec) -> DataFrame:
    try:
        tried = frame.select("*", F.expr(expression).alias("__hg_tried"))
    except AnalysisException as error:
        first_line = str(error).splitlines()[0]
        raise RefineError(
            f"source {spec.source}, {where}: the expression does not analyse: {expression}; {first_line}; "
            "correct it in the source's YAML"
        ) from error
    return tried


def field_types(spec: Spec) -> dict[str, str]:
    """The schema's top-level fields and their Spark types, for messages."""
    return {f.name: spark_type(f).simpleString() for f in spec.fields}
