"""Ways to spoil a good record, each with the reason for which the pipeline must quarantine it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from hourglass.config.ingestion import CsvFormat
from hourglass.config.rules import Rule
from hourglass.config.schema import SchemaField
from hourglass.config.source import Source
from hourglass.generate.draw import Draw
from hourglass.generate.record import Path, Record, as_moment, data_paths, get, like, put
from hourglass.generate.rules import age, holds
from hourglass.partition import Partition

Break = Callable[[Record], None]

_SECOND = timedelta(seconds=1)
# What no reader takes for a value of the type. Everything is text in a CSV; JSON has other types too.
_MISFITS: dict[str, Any] = {
    "INT64": "seven", "FLOAT64": "much", "NUMERIC": "much", "BOOL": "perhaps", "TIMESTAMP": "yesterday",
    "DATE": "2025-13-02",
}  # fmt: skip
_TYPED = ("parquet", "avro")
DEAD_LETTER = "dead_letter"


@dataclass(frozen=True)
class Spoiler:
    """One way to spoil a record.

    Args:
        reason: Why the pipeline quarantines such a line.
        apply: Changes a record in place; false when that record cannot be spoilt this way.
        cuts: The line itself is damaged when it is written, and `apply` has nothing to do.
    """

    reason: str
    apply: Callable[[Record, Draw], bool]
    cuts: bool = False


@dataclass(frozen=True)
class Spoilers:
    """The ways to spoil one source's records of one partition.

    Args:
        source: The source.
        partition: The partition.
        breaks: What breaks the source's `expression` rules, by their reason.
    """

    source: Source
    partition: Partition
    breaks: Mapping[str, Break]

    def all(self) -> list[Spoiler]:
        """Every way that the source's format and configuration leave."""
        ingestion = self.source.file.ingestion
        found = list(self._damage())
        if not self._is_typed:
            found += self._wrong_types()
        found += self._missing()
        if self.source.event_time:
            found.append(Spoiler("event_time_out_of_range", self._too_old))
        if (
            self.source.file.schema_.unknown_fields == "quarantine"
            and ingestion.format == "json"
            and not self._is_typed
        ):
            found.append(
                Spoiler("unknown_field", lambda record, draw: put(record, ("surprise",), draw.hex(8)))
            )
        return found + list(self._rules())

    def _damage(self) -> Iterator[Spoiler]:
        ingestion = self.source.file.ingestion
        if ingestion.format == "csv":
            yield Spoiler("malformed_csv", _nothing, cuts=True)
        elif not self._is_typed and not ingestion.multiline:
            yield Spoiler("not_json", _nothing, cuts=True)
        if self.source.dead_letter_prefix is not None:
            yield Spoiler(DEAD_LETTER, _nothing, cuts=True)

    def _wrong_types(self) -> Iterator[Spoiler]:
        strict = self.source.file.schema_.validation == "strict"
        fields = [f for f in self._once() if f.type in _MISFITS and (strict or f.mode == "REQUIRED")]
        if fields:

            def spoil(record: Record, draw: Draw) -> bool:
                field = draw.choice(fields)
                return put(record, self._paths[field.name], _MISFITS[field.type])

            yield Spoiler("wrong_type", spoil)

    def _missing(self) -> Iterator[Spoiler]:
        names = [f.name for f in self._once() if f.mode == "REQUIRED"]
        if self.source.event_time and self.source.event_time not in names:
            names.append(self.source.event_time)
        if names:
            yield Spoiler(
                "missing_required",
                lambda record, draw: put(record, self._paths[draw.choice(names)], None),
            )

    def _rules(self) -> Iterator[Spoiler]:
        for number, rule in enumerate(self._critical):
            if rule.check == "expression":
                if known := self.breaks.get(rule.reason):
                    yield Spoiler(rule.reason, self._by_hand(rule, known))
            elif rule.field and self._can_break(rule, self._critical[:number]):
                yield Spoiler(rule.reason, self._by_value(rule, self._paths[rule.field]))

    def _can_break(self, rule: Rule, earlier: list[Rule]) -> bool:
        field = self.source.schema.paths()[rule.field or ""]
        if field.type in ("JSON", "BYTES") or rule.field not in self._paths:
            return False
        if rule.check == "not_null" and (field.mode == "REQUIRED" or rule.field == self.source.event_time):
            return False  # that is missing_required
        # An expression about the same field may be broken first, which only Spark could tell.
        word = re.compile(rf"\b{re.escape(field.name)}\b")
        return not any(word.search(other.expression or "") for other in earlier)

    def _by_hand(self, rule: Rule, spoil: Break) -> Callable[[Record, Draw], bool]:
        def apply(record: Record, draw: Draw) -> bool:
            spoil(record)
            return self._first_broken(record) is None and self._in_range(record)

        return apply

    def _by_value(self, rule: Rule, path: Path) -> Callable[[Record, Draw], bool]:
        def apply(record: Record, draw: Draw) -> bool:
            old = get(record, path)
            candidates = [v for v in self._bad_values(rule, old, draw) if v != self._null_text]
            if not any(self._tried(record, rule, path, value) for value in candidates):
                put(record, path, old)
                return False
            return True

        return apply

    def _tried(self, record: Record, rule: Rule, path: Path, value: Any) -> bool:
        return put(record, path, value) and self._first_broken(record) is rule and self._in_range(record)

    def _bad_values(self, rule: Rule, old: Any, draw: Draw) -> list[Any]:
        if rule.check in ("not_in_future", "max_age"):
            return self._bad_moments(rule, old)
        if rule.check in ("between", "positive_number"):
            low, high = (0, None) if rule.check == "positive_number" else (rule.min, rule.max)
            return _outside(low, high, draw)
        if rule.check == "in_set":
            numbers = all(isinstance(value, int | float) for value in rule.values or [])
            return (
                [] if isinstance(old, bool) else [-draw.whole(10_001, 99_999) if numbers else "no_such_value"]
            )
        if rule.check == "length":
            return ["", "x" * (int(rule.max or 0) + 1)]
        return [None] if rule.check == "not_null" else ["not as expected", "?", ""]

    def _bad_moments(self, rule: Rule, old: Any) -> list[Any]:
        end = self.partition.end
        ahead = self.source.file.schema_.max_ahead
        if rule.check == "max_age":
            return [
                like(old, end - age(rule) - timedelta(hours=1)),
                like(old, end - age(rule) - timedelta(days=2)),
            ]
        return [like(old, end + ahead / 2), like(old, end + timedelta(days=2))]

    def _too_old(self, record: Record, draw: Draw) -> bool:
        path = self._paths[self.source.event_time or ""]
        longest = self.source.file.schema_.max_lateness
        moment = self.partition.start - longest - timedelta(days=1) - _SECOND * draw.whole(1, 86_400)
        return put(record, path, like(get(record, path), moment))

    def _first_broken(self, record: Record) -> Rule | None:
        for rule in self._critical:
            path = self._paths.get(rule.field or "")
            if path and not holds(rule, get(record, path), self.partition.end):
                return rule
        return None

    def _in_range(self, record: Record) -> bool:
        if not self.source.event_time:
            return True
        moment = as_moment(get(record, self._paths[self.source.event_time]))
        reference = self.source.file.schema_
        low, high = self.partition.start - reference.max_lateness, self.partition.end + reference.max_ahead
        return moment is not None and low <= moment < high

    def _once(self) -> list[SchemaField]:
        return [f for f in self.source.schema.fields if f.mode != "REPEATED"]

    @property
    def _null_text(self) -> str | None:
        """What a CSV cannot say, since it stands for a value that is not there."""
        ingestion = self.source.file.ingestion
        return (ingestion.csv or CsvFormat()).null_value if ingestion.format == "csv" else None

    @property
    def _is_typed(self) -> bool:
        """Whether the files, or BigQuery's tables, hold only values of the right type."""
        ingestion = self.source.file.ingestion
        return ingestion.format in _TYPED or ingestion.pattern == "bigquery_export"

    @cached_property
    def _critical(self) -> list[Rule]:
        return [rule for rule in self.source.file.row_rules if rule.severity == "critical"]

    @cached_property
    def _paths(self) -> Mapping[str, Path]:
        return data_paths(self.source.schema, self.source.file.ingestion.format)


def _nothing(record: Record, draw: Draw) -> bool:
    return True


def _outside(low: float | None, high: float | None, draw: Draw) -> list[Any]:
    by = draw.whole(1, 100)
    below = [] if low is None else [int(low) - by]
    above = [] if high is None else [int(high) + by]
    return [*above, *below]
