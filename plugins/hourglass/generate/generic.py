"""Rows for a source without a generator of its own, from its schema's types and names and its rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from hourglass.config.rules import Rule
from hourglass.config.schema import SchemaField
from hourglass.config.source import Source
from hourglass.generate.draw import Draw, Person
from hourglass.generate.patterns import text_for
from hourglass.generate.record import Record, own_path
from hourglass.generate.rules import age

_PEOPLE = 5_000
_PRESENT = 0.9  # of the NULLABLE fields that no rule asks for
_LAST_TRY = 100


def rows(source: Source, draw: Draw, count: int) -> Iterator[Record]:
    """Distinct records that fit the schema and the rules; an `expression` rule may still refuse one.

    Args:
        source: The source.
        draw: Random values.
        count: How many.
    """
    maker = _Maker(source, draw)
    key = source.file.deduplication_key
    seen: set[tuple[str, ...]] = set()
    for _ in range(count * _LAST_TRY):
        if count == 0:
            return
        record, values = maker.record()
        identity = tuple(str(values.get(name)) for name in key)
        if key and identity in seen:
            continue
        seen.add(identity)
        count -= 1
        yield record


class _Maker:
    """Makes one record after the other.

    Args:
        source: The source.
        draw: Random values.
    """

    def __init__(self, source: Source, draw: Draw) -> None:
        self._source, self._draw = source, draw
        self._key = {*source.file.deduplication_key, *(n for r in source.file.set_rules for n in _unique(r))}
        self._rules: dict[str, list[Rule]] = {}
        for rule in source.file.row_rules:
            self._rules.setdefault(rule.field or "", []).append(rule)
        self._moment = draw.partition.start
        self._person = draw.person(0)
        self._number = 0

    def record(self) -> tuple[Record, dict[str, Any]]:
        """A record, and its values by their path in the schema."""
        self._moment = self._draw.moment()
        self._person = self._draw.person(self._draw.zipf(_PEOPLE))
        self._number += 1
        values: dict[str, Any] = {}
        return self._fields(self._source.schema.fields, "", values), values

    def _fields(self, fields: list[SchemaField], prefix: str, values: dict[str, Any]) -> Record:
        record: Record = {}
        for field in fields:
            path = f"{prefix}{field.name}"
            value = self._field(field, path, values)
            if value is not None:
                values[path] = value
                _put_deep(record, own_path(field, self._source.file.ingestion.format), value)
        return record

    def _field(self, field: SchemaField, path: str, values: dict[str, Any]) -> Any:
        if field.mode == "REPEATED":
            return [self._value(field, path, values) for _ in range(self._draw.whole(0, 3))]
        needed = field.mode == "REQUIRED" or path in self._key or path == self._source.event_time
        wanted = needed or any(r.check == "not_null" for r in self._rules.get(path, []))
        inside = any(
            name.startswith(f"{path}.") for name in (*self._key, *self._rules, self._source.event_time or "")
        )
        if wanted or inside or self._draw.chance(_PRESENT):
            return self._value(field, path, values)
        return None

    def _value(self, field: SchemaField, path: str, values: dict[str, Any]) -> Any:
        if field.type == "RECORD":
            return self._fields(field.fields, f"{path}.", values)
        if path == self._source.event_time:
            return self._moment if field.type == "TIMESTAMP" else self._moment.date()
        for rule in self._rules.get(path, []):
            if (ruled := self._ruled(rule, field)) is not None:
                return ruled
        return getattr(self, f"_{field.type.lower()}")(field.name, path)

    def _ruled(self, rule: Rule, field: SchemaField) -> Any:
        """A value that one rule names; None when the rule leaves it open."""
        makers: dict[str, Callable[[], Any]] = {
            "in_set": lambda: self._draw.choice(rule.values or []),
            "regex": lambda: text_for(rule.pattern or "", self._draw) if field.type == "STRING" else None,
            "valid_email": lambda: self._person.email,
            "between": lambda: self._number_between(rule, field),
            "positive_number": lambda: self._number_between(rule, field),
            "max_age": lambda: self._young(rule, field),
            "not_in_future": lambda: self._young(rule, field),
            "length": lambda: self._of_length(rule) if field.type == "STRING" else None,
        }
        make = makers.get(rule.check)
        return make() if make else None

    def _number_between(self, rule: Rule, field: SchemaField) -> float:
        low = rule.min if rule.min is not None else 0 if rule.check == "positive_number" else None
        high = rule.max
        if low is None:
            low = (high or 0) - 1_000
        if high is None:
            high = low + 1_000
        if field.type == "INT64":
            return self._draw.whole(int(low) + (rule.check == "positive_number"), int(high))
        return round(low + (high - low) * (0.001 + 0.998 * self._draw.random.random()), 6)

    def _young(self, rule: Rule, field: SchemaField) -> date:
        oldest = age(rule) if rule.check == "max_age" else timedelta(hours=1)
        moment = max(self._moment, self._draw.partition.end - oldest)
        return moment if field.type == "TIMESTAMP" else moment.date()

    def _of_length(self, rule: Rule) -> str:
        text = self._draw.sentence()
        while len(text) < (rule.min or 0):
            text += " " + self._draw.sentence()
        return text if rule.max is None else text[: int(rule.max)]

    def _string(self, name: str, path: str) -> str:
        if path in self._key:
            return self._draw.uuid()
        lower = name.lower()
        for part, make in _NAMED.items():
            if part in lower:
                return make(self._draw, self._person)
        if lower.endswith(("id", "uuid", "key")):
            return self._draw.ident(lower, self._draw.zipf(_PEOPLE))
        return self._draw.sentence(1, 3)

    def _int64(self, name: str, path: str) -> int:
        if path in self._key:
            return int(self._draw.partition.start.timestamp()) * 1000 + self._number
        return self._draw.zipf(100_000) if name.lower().endswith("id") else self._draw.zipf(1_000)

    def _float64(self, name: str, path: str) -> float:
        return self._draw.money(20)

    _numeric = _float64

    def _bool(self, name: str, path: str) -> bool:
        return self._draw.chance(0.5)

    def _timestamp(self, name: str, path: str) -> datetime:
        return self._moment + timedelta(milliseconds=self._draw.whole(0, 999))

    def _date(self, name: str, path: str) -> Any:
        return self._moment.date()

    def _bytes(self, name: str, path: str) -> bytes:
        return bytes.fromhex(self._draw.hex(16))

    def _json(self, name: str, path: str) -> Any:
        return {"note": self._draw.sentence(2, 5), "count": self._draw.zipf(20)}


def _unique(rule: Rule) -> list[str]:
    return rule.key if rule.check == "unique" else []


def _put_deep(record: Record, path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        record = record.setdefault(step, {})
    record[path[-1]] = value


# Part of a field's name, and what such a field holds; the first that fits.
_NAMED: dict[str, Callable[[Draw, Person], str]] = {
    "email_domain": lambda draw, person: person.email.split("@")[1],
    "email": lambda draw, person: person.email,
    "user_id": lambda draw, person: person.id,
    "username": lambda draw, person: person.username,
    "login": lambda draw, person: person.username,
    "first_name": lambda draw, person: person.first_name,
    "last_name": lambda draw, person: person.last_name,
    "user_agent": lambda draw, person: draw.user_agent(),
    "ip_address": lambda draw, person: draw.ip(),
    "country": lambda draw, person: person.country,
    "region": lambda draw, person: person.region,
    "city": lambda draw, person: person.city,
    "url": lambda draw, person: f"https://www.example.com/{draw.hex(8)}",
    "name": lambda draw, person: f"{person.first_name} {person.last_name}",
    "currency": lambda draw, person: draw.weighted({"USD": 60, "EUR": 30, "GBP": 10}),
}
