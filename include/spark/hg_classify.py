"""Every line becomes valid or quarantined, with the first reason that applies. SQL text, evaluated by Spark.

A line is parsed once, as `[line, sentinel]`: the sentinel comes back as second element only when the line is
exactly one JSON object that fits the schema. Only lines that fail this are looked at again to tell why.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import LongType

import hg_unknown
import hg_values
from hg_schema import is_record, struct_type
from hg_spec import Field, Spec
from hg_sql import VALUE, dotted, from_json, literal, quoted, timestamp

SENTINEL = "__hg_end"
SENTINEL_VALUE = 7308332182  # any number; a line that carries it on purpose only harms itself
SESSION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",  # otherwise 2025-13-02 fails the whole job
    "spark.sql.json.enablePartialResults": "false",  # one bad field makes the whole line bad
    "spark.sql.caseSensitive": "false",
    # Encoding the kept rows column by column costs 25 us a row, a third of the whole job, and they are read twice.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
}


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
        *[F.expr(hg_values.shaped(f, row)).alias(f.name) for f in spec.fields],
    )
    keys = hg_unknown.key_columns(spec.fields)
    flat = flat.select("*", *[F.expr(sql).alias(name) for name, sql in keys.items()])
    checked = flat.select(
        "*",
        F.expr(_bad(spec.fields)).alias("__hg_bad"),
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
    return f"CASE WHEN NOT __hg_fits THEN CAST(NULL AS STRING) {branches} END"


def _bad(fields: tuple[Field, ...]) -> str:
    was_json = hg_values.texts_that_were_json(fields)
    return f"CASE WHEN __hg_fits THEN coalesce({_first(hg_values.bad_values(fields))}, {was_json}) END"


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
        (f"NOT __hg_utf8 OR {hg_values.half_pair()}", "'invalid_utf8'"),
        ("__hg_bad IS NOT NULL", "'wrong_type'"),
        ("__hg_missing IS NOT NULL", "'missing_required'"),
    ]
    if spec.event_time:
        cases.append((_out_of_range(spec), "'event_time_out_of_range'"))
    if spec.unknown_fields == "quarantine":
        cases.append(("__hg_unknown IS NOT NULL", "'unknown_field'"))
    cases += [(f"NOT coalesce((\n{r.expression}\n), true)", literal(r.name)) for r in spec.rules]
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
