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
from hg_schema import ddl, is_record, struct_type
from hg_source import data_fields
from hg_spec import Field, Spec
from hg_sql import KEPT, NULLED, RAW, VALUE, WARNED, dotted, from_json, literal, quoted, timestamp

SENTINEL = "__hg_end"
SENTINEL_VALUE = 7308332182  # any number; a line that carries it on purpose only harms itself
SESSION = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",  # otherwise 2025-13-02 fails the whole job
    "spark.sql.json.enablePartialResults": "false",  # one bad field makes the whole line bad
    "spark.sql.legacy.parquet.nanosAsLong": "true",  # otherwise Spark reads no object with such a column
    "spark.sql.caseSensitive": "false",
    # Encoding the kept rows column by column costs 25 us a row, a third of the whole job, and they are read twice.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
}


def classify(lines: DataFrame, spec: Spec) -> DataFrame:
    """Parse and judge every line.

    Args:
        lines: what hg_read.read_lines or hg_permissive.repaired gives.
        spec: the batch's spec.

    Returns:
        The schema's fields (NULL for a line that does not parse), `__hg_path`, `__hg_block`, `__hg_id`,
        `__hg_reason` and `__hg_field` (NULL for a valid line), `__hg_unknown` (paths of the fields that the
        schema does not name, NULL when none), `__hg_value` and, where the lines have it, `__hg_raw` (NULL when
        they are not needed again), `__hg_kept` and `__hg_nulled` as they came, and `__hg_warned` (the rules that
        warn of the row, NULL when none) if there are such rules.
    """
    data = data_fields(spec.fields)
    carried = [name for name in (RAW, KEPT, NULLED) if name in lines.columns]
    parsed = lines.select("*", F.expr(_parse(data)).alias("__hg_pair"))
    fits = (
        "__hg_fault IS NULL AND size(__hg_pair) = 2 "
        f"AND __hg_pair[1].{SENTINEL} = {SENTINEL_VALUE} "
        f"AND __hg_pair[0] IS NOT NULL AND __hg_pair[0].{SENTINEL} IS NULL"
    )
    flat = parsed.select(
        VALUE,
        *carried,
        "__hg_path",
        "__hg_block",
        "__hg_id",
        "__hg_fault",
        F.expr(f"coalesce({fits}, false)").alias("__hg_fits"),
        F.expr(f"decode(CAST({VALUE} AS BINARY), 'UTF-8') = {VALUE}").alias("__hg_utf8"),
        *[
            F.expr(hg_values.shaped(f, "__hg_pair[0]", data != spec.fields)).alias(f.name)
            for f in spec.fields
        ],
    )
    keys = hg_unknown.key_columns(data)
    flat = flat.select("*", *[F.expr(sql).alias(name) for name, sql in keys.items()])
    checked = flat.select(
        "*",
        F.expr(_bad(spec.fields)).alias("__hg_bad"),
        F.expr(_first(_missing(spec))).alias("__hg_missing"),
        F.expr(hg_unknown.paths(data)).alias("__hg_unknown"),
    )
    judged = checked.select("*", F.expr(_reason(spec)).alias("__hg_reason"))
    # Where replays settle lines, a valid one may be quarantined yet.
    needed = "true" if spec.settled else "__hg_reason IS NOT NULL"
    warned = [F.expr(_warned(spec)).alias(WARNED)] if spec.warning else []
    return judged.select(
        *[quoted(f.name) for f in spec.fields],
        "__hg_path",
        "__hg_block",
        "__hg_id",
        "__hg_unknown",
        "__hg_reason",
        F.expr(_field(spec)).alias("__hg_field"),
        F.expr(f"CASE WHEN {needed} OR __hg_unknown IS NOT NULL THEN {VALUE} END").alias(VALUE),
        *[F.expr(f"CASE WHEN {needed} THEN {RAW} END").alias(RAW) for c in carried if c == RAW],
        *[c for c in carried if c != RAW],
        *warned,
    )


def _parse(fields: tuple[Field, ...]) -> str:
    kind = f"array<{ddl(struct_type(fields).add(SENTINEL, LongType()))}>"
    end = literal(f',{{"{SENTINEL}":{SENTINEL_VALUE}}}]')
    return from_json(f"concat('[', {VALUE}, {end})", kind)


def _warned(spec: Spec) -> str:
    """SQL for the names of the rules that warn of a valid row, NULL when none does."""
    names = ", ".join(f"CASE WHEN {_broken(r.expression)} THEN {literal(r.name)} END" for r in spec.warning)
    return f"CASE WHEN __hg_reason IS NULL THEN nullif(array_compact(array({names})), array()) END"


def _broken(expression: str) -> str:
    return f"NOT coalesce((\n{expression}\n), true)"


def _first(cases: Iterator[tuple[str, str]]) -> str:
    """SQL for the path of the first case whose condition holds, else NULL."""
    branches = " ".join(f"WHEN {condition} THEN {literal(path)}" for condition, path in cases)
    return f"CASE WHEN NOT __hg_fits THEN CAST(NULL AS STRING) {branches} END"


def _bad(fields: tuple[Field, ...]) -> str:
    blurred = f"{hg_values.texts_that_were_json(fields)}, {hg_values.texts_with_commas(fields)}"
    return f"CASE WHEN __hg_fits THEN coalesce({_first(hg_values.bad_values(fields))}, {blurred}) END"


def _reason(spec: Spec) -> str:
    one_value = f"size({from_json(_then_end(), 'array<string>')}) = 2"
    an_object = f"{from_json(VALUE, 'map<string,string>')} IS NOT NULL"
    unparsed = (
        f"CASE WHEN {VALUE} RLIKE '^[ \\\\t\\\\r]*$' THEN 'blank_line' WHEN NOT __hg_utf8 THEN 'invalid_utf8' "
        f"WHEN {one_value} THEN 'wrong_type' WHEN {an_object} THEN 'trailing_data' ELSE 'not_json' END"
    )
    cases = [
        ("__hg_fault IS NOT NULL", "__hg_fault"),
        ("NOT __hg_fits", unparsed),
        (f"NOT __hg_utf8 OR {hg_values.half_pair()}", "'invalid_utf8'"),
        ("__hg_bad IS NOT NULL", "'wrong_type'"),
        ("__hg_missing IS NOT NULL", "'missing_required'"),
    ]
    if spec.event_time:
        cases.append((_out_of_range(spec), "'event_time_out_of_range'"))
    if spec.unknown_fields == "quarantine":
        cases.append(("__hg_unknown IS NOT NULL", "'unknown_field'"))
    cases += [(_broken(r.expression), literal(r.name)) for r in spec.refusing]
    return "CASE " + " ".join(f"WHEN {when} THEN {then}" for when, then in cases) + " END"


def _then_end() -> str:
    return f"concat('[', {VALUE}, ',0]')"


def _field(spec: Spec) -> str:
    cases = [("wrong_type", "__hg_bad"), ("missing_required", "__hg_missing")]
    if spec.event_time:
        cases.append(("event_time_out_of_range", literal(spec.event_time.field)))
    cases.append(("unknown_field", "__hg_unknown[0]"))
    cases += [(r.name, literal(r.field)) for r in spec.refusing if r.field]
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
