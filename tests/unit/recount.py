"""Counts generated files again: parsed back and judged in plain Python, without any of the generator's code."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from hourglass.config import Source
from hourglass.config.ingestion import CsvFormat
from hourglass.config.rules import EMAIL, Rule
from hourglass.config.schema import SchemaField
from hourglass.config.types import parse_duration
from hourglass.partition import Partition

Row = dict[str, Any]


class Bad(Exception):  # noqa: N818
    """Carries the reason."""


def recount(source: Source, partition: Partition, folder: Path, objects: list[str]) -> dict[str, Any]:
    """The tally of the objects below a folder, as refine would count them."""
    judge = Judge(source, partition)
    reasons: Counter[str] = Counter()
    seen: set[tuple[str, ...]] = set()
    lines = silver = duplicates = late = 0
    for name in sorted(objects):
        dead = source.dead_letter_prefix is not None and name.startswith(source.dead_letter_prefix)
        for record in read(source, folder / name):
            lines += 1
            try:
                row = judge.row("dead_letter" if dead else record)
            except Bad as why:
                reasons[str(why)] += 1
                continue
            key = tuple(str(at(row, path)) for path in source.file.deduplication_key)
            if key and key in seen:
                duplicates += 1
                continue
            seen.add(key)
            silver += 1
            stamp = at(row, source.event_time) if source.event_time else None
            late += stamp is not None and moment(stamp) < partition.start
    counts = {"lines": lines, "silver": silver, "quarantined": reasons.total(), "duplicates": duplicates}
    return {**counts, "reasons": dict(sorted(reasons.items())), "late": late}


def read(source: Source, path: Path) -> Iterator[Row | str]:
    """Every record of an object, or the reason why it is none."""
    ingestion = source.file.ingestion
    if ingestion.format == "parquet":
        from pyarrow import parquet

        yield from parquet.read_table(path).to_pylist()
        return
    if ingestion.format == "avro":
        import fastavro

        with path.open("rb") as file:
            yield from fastavro.reader(file)
        return
    data = path.read_bytes()
    text = (gzip.decompress(data) if ingestion.compression == "gzip" else data).decode()
    if ingestion.format == "csv":
        yield from _csv(source, text)
    elif ingestion.multiline:
        yield from json.loads(text)
    else:
        yield from map(_line, text.splitlines())


def _line(text: str) -> Row | str:
    try:
        return json.loads(text)
    except ValueError:
        return "not_json"


def _csv(source: Source, text: str) -> Iterator[Row | str]:
    form = source.file.ingestion.csv or CsvFormat()
    assert (form.header, form.escape) == (True, None)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=form.delimiter, quotechar=form.quote)
    names = next(reader)
    kinds = {field.source_path or field.name: field.type for field in source.schema.fields}
    for values in reader:
        if len(values) != len(names):
            yield "malformed_csv"
            continue
        yield {
            name: _value(v, kinds[name])
            for name, v in zip(names, values, strict=True)
            if v != form.null_value
        }


def _value(text: str, kind: str) -> Any:
    """What a CSV's text is; left as it is where it is not of the type."""
    try:
        if kind in ("INT64", "FLOAT64", "NUMERIC"):
            return int(text) if kind == "INT64" else float(text)
    except ValueError:
        return text
    return {"true": True, "false": False}.get(text, text) if kind == "BOOL" else text


def at(row: Row, path: str) -> Any:
    """The value at a dotted path."""
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def moment(value: Any) -> datetime:
    """A moment, from what JSON, Parquet and Avro have for it."""
    if isinstance(value, int):
        return datetime.fromtimestamp(value, UTC)
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(found, datetime):
        found = datetime(found.year, found.month, found.day)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


class Judge:
    """Judges the records of one partition, reason by reason in the order of the reference."""

    def __init__(self, source: Source, partition: Partition) -> None:
        self.source, self.partition = source, partition
        self.dotted = source.file.ingestion.format != "csv"

    def row(self, record: Row | str) -> Row:
        """The schema's fields of a good record; raises Bad with the reason for any other."""
        if isinstance(record, str):
            raise Bad(record)
        row = self._fields(record, self.source.schema.fields)
        for check in (self._types, self._required, self._time, self._unknown):
            check(row, record)
        for rule in self.source.file.row_rules:
            if rule.severity == "critical" and not self.keeps(rule, row):
                raise Bad(rule.reason)
        return row

    def _fields(self, record: Row, fields: list[SchemaField]) -> Row:
        found: Row = {}
        for field in fields:
            name = field.source_path or field.name
            value = at(record, name) if self.dotted else record.get(name)
            if field.type == "RECORD" and isinstance(value, dict):
                value = self._fields(value, field.fields)
            elif field.type == "RECORD" and isinstance(value, list):
                value = [self._fields(item, field.fields) for item in value]
            if value is not None:
                found[field.name] = value
        return found

    def _types(self, row: Row, record: Row) -> None:
        if any(not _fits(value, field) for value, field in _values(row, self.source.schema.fields)):
            raise Bad("wrong_type")

    def _required(self, row: Row, record: Row) -> None:
        if _lacks(row, self.source.schema.fields):
            raise Bad("missing_required")
        if self.source.event_time and at(row, self.source.event_time) is None:
            raise Bad("missing_required")

    def _time(self, row: Row, record: Row) -> None:
        if self.source.event_time:
            when, rule = moment(at(row, self.source.event_time)), self.source.file.schema_
            low, high = self.partition.start - rule.max_lateness, self.partition.end + rule.max_ahead
            if not low <= when < high:
                raise Bad("event_time_out_of_range")

    def _unknown(self, row: Row, record: Row) -> None:
        known = {(f.source_path or f.name).split(".")[0] for f in self.source.schema.fields}
        if self.source.file.schema_.unknown_fields == "quarantine" and set(record) - known:
            raise Bad("unknown_field")

    def keeps(self, rule: Rule, row: Row) -> bool:
        """Whether a row keeps a rule; None passes every check but not_null."""
        if rule.check == "expression":
            assert rule.reason in EXPRESSIONS, f"say in {__name__}.EXPRESSIONS what {rule.reason} means"
            return EXPRESSIONS[rule.reason](row)
        value = at(row, rule.field or "")
        if rule.check == "not_null":
            return value is not None
        return value is None or self._judged(rule, value)

    def _judged(self, rule: Rule, value: Any) -> bool:
        low = rule.min if rule.min is not None else -(10**18)
        high = rule.max if rule.max is not None else 10**18
        answers: dict[str, Callable[[], bool]] = {
            "valid_email": lambda: bool(re.search(EMAIL, value)),
            "positive_number": lambda: value > 0,
            "between": lambda: low <= value <= high,
            "in_set": lambda: value in (rule.values or []),
            "regex": lambda: bool(re.search(rule.pattern or "", value)),
            "length": lambda: low <= len(value) <= high,
            "not_in_future": lambda: moment(value) <= self.partition.end,
            "max_age": lambda: moment(value) >= self.partition.end - parse_duration(rule.age),
        }
        return answers[rule.check]()


def _values(row: Row, fields: list[SchemaField]) -> Iterator[tuple[Any, SchemaField]]:
    for field in fields:
        value = row.get(field.name)
        for item in value if isinstance(value, list) and field.mode == "REPEATED" else [value]:
            if field.type == "RECORD" and isinstance(item, dict):
                yield from _values(item, field.fields)
            elif item is not None:
                yield item, field


def _fits(value: Any, field: SchemaField) -> bool:
    tests: dict[str, Callable[[], bool]] = {
        "STRING": lambda: not isinstance(value, dict | list),
        "INT64": lambda: isinstance(value, int) and not isinstance(value, bool),
        "FLOAT64": lambda: isinstance(value, int | float) and not isinstance(value, bool),
        "NUMERIC": lambda: _decimal(value) is not None,
        "BOOL": lambda: isinstance(value, bool),
        "TIMESTAMP": lambda: _parses(moment, value),
        "DATE": lambda: isinstance(value, date) or _parses(date.fromisoformat, value),
        "RECORD": lambda: isinstance(value, dict),
    }
    return tests.get(field.type, lambda: True)()


def _decimal(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value)) if not isinstance(value, bool) else None
    except InvalidOperation:
        return None


def _parses(parse: Callable[[Any], Any], value: Any) -> bool:
    try:
        parse(value)
    except (TypeError, ValueError, AttributeError):
        return False
    return True


def _lacks(row: Row, fields: list[SchemaField]) -> bool:
    """Whether a REQUIRED field is missing; those of a record only where the record is there."""
    for field in fields:
        value = row.get(field.name)
        if value is None and field.mode == "REQUIRED":
            return True
        items = value if isinstance(value, list) else [value]
        if field.type == "RECORD" and any(_lacks(item, field.fields) for item in items if item is not None):
            return True
    return False


def _number(row: Row, name: str) -> float:
    return float(row.get(name) or 0)


def _total(row: Row) -> float:
    return sum(item["quantity"] * float(item["price"]) for item in row["items"])


def _payload(row: Row, *names: str) -> list[Any]:
    return [value for name in names if (value := row.get("payload", {}).get(name)) is not None]


def _has_key(row: Row) -> bool:
    table, payload = row["source_metadata"].get("table"), row.get("payload", {})
    name = "customer_id" if table == "customers" else "order_id"
    lines = table in ("orders", "customers") or isinstance(payload.get("line_number"), int)
    return payload.get(name) is not None and lines


_BOUNDS = {"temperature": (-60, 150), "humidity": (0, 100), "pressure": (800, 1200)}

# What the sources' expression rules mean, by their names.
EXPRESSIONS: dict[str, Callable[[Row], bool]] = {
    "delivered_has_a_time": lambda row: (
        row.get("status") != "delivered" or row.get("delivered_at") is not None
    ),
    "funnel_names_the_product": lambda row: (
        row["event_name"] == "page_view"
        or (row.get("product_id") is not None and row.get("product_category") is not None)
    ),
    "purchase_has_amount": lambda row: (
        row["event_type"] != "purchase" or row.get("payload", {}).get("amount", -1) >= 0
    ),
    "reading_is_possible": lambda row: (
        _BOUNDS.get(row["sensor_type"], (0, 500))[0]
        <= row["reading"]
        <= _BOUNDS.get(row["sensor_type"], (0, 500))[1]
    ),
    "items_are_countable": lambda row: (
        len(row["items"]) > 0 and all(i["quantity"] > 0 and i["price"] >= 0 for i in row["items"])
    ),
    "total_is_sum_of_items": lambda row: abs(_number(row, "total_amount") - _total(row)) <= 0.010001,
    "deletion_is_a_delete": lambda row: (
        row["source_metadata"].get("is_deleted") == (row["source_metadata"].get("change_type") == "DELETE")
    ),
    "payload_has_key": _has_key,
    "payload_numbers_fit": lambda row: (
        None not in map(_decimal, _payload(row, "total_amount", "unit_price", "quantity"))
    ),
    "payload_times_fit": lambda row: all(
        _parses(moment, value) for value in _payload(row, "created_at", "updated_at", "ordered_at")
    ),
    "modified_after_creation": lambda row: moment(row["system_modstamp"]) >= moment(row["created_date"]),
    "starts_before_it_ends": lambda row: moment(row["session_start"]) <= moment(row["session_end"]),
    "created_before_updated": lambda row: moment(row["created_at"]) <= moment(row["updated_at"]),
    "refund_within_amount": lambda row: 0 <= _number(row, "amount_refunded") <= _number(row, "amount"),
    "capture_within_amount": lambda row: 0 <= _number(row, "amount_captured") <= _number(row, "amount"),
    "amount_adds_up": lambda row: (
        abs(
            _number(row, "amount") - (row["quantity"] * _number(row, "unit_price") - _number(row, "discount"))
        )
        <= 0.010001
    ),
}
