"""Do the steps of silver_to_gold find their tables, fields and times?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hourglass.config.document import Location
from hourglass.config.errors import did_you_mean
from hourglass.config.expressions import unknown_names
from hourglass.config.known_tables import KnownTables
from hourglass.config.metrics import Metric, parse_metric
from hourglass.config.plain import GOLD_STEPS, dig, items

DATE_PARTS = ("date", "hour", "window")
_UNGROUPABLE = ("JSON", "RECORD", "REPEATED")
Finding = tuple[Location, str]


@dataclass
class GoldChecks:
    """The steps of one source, checked in order.

    Args:
        data: The source file's plain value.
        columns: What the first step may use: dotted paths and their types (REPEATED for lists).
        stamp: The type of the event time; None when there is none.
        tables: What can be joined.
    """

    data: Any
    columns: dict[str, str | None]
    stamp: str | None
    tables: KnownTables
    _complete: bool = field(default=True, init=False)

    def problems(self) -> Iterator[Finding]:
        """Every mistake with its place."""
        for number, step in items(dig(self.data, GOLD_STEPS)):
            here = (*GOLD_STEPS, number)
            if isinstance(join := dig(step, ("join",)), dict):
                yield from self._join((*here, "join"), join)
            if isinstance(aggregate := dig(step, ("aggregate",)), dict):
                yield from self._aggregate((*here, "aggregate"), aggregate)

    def _join(self, here: Location, join: dict[str, Any]) -> Iterator[Finding]:
        table = join.get("table")
        if not isinstance(table, str):
            return
        if said := self.tables.problem(table, str(dig(self.data, ("source_id",)))):
            yield (*here, "table"), said
            self._complete = False
            return
        theirs = self.tables.columns(table)
        on = join.get("on")
        for index, name in items([on] if isinstance(on, str) else on):
            place = (*here, "on") if isinstance(on, str) else (*here, "on", index)
            if isinstance(name, str):
                yield from ((place, message) for message in self._key(name, table, theirs))
        if theirs is None:
            self._complete = False
        else:
            self.columns = {**theirs, **self.columns}

    def _key(self, name: str, table: str, theirs: Any) -> Iterator[str]:
        if unknown := self._unknown(name):
            yield unknown
        elif self.columns.get(name) in _UNGROUPABLE:
            yield f"{name!r} is {self.columns[name]}, which cannot be compared; join on a single value"
        if theirs is not None and name not in theirs:
            yield f"{table} has no column {name!r}{did_you_mean(name, theirs)}"

    def _aggregate(self, here: Location, aggregate: dict[str, Any]) -> Iterator[Finding]:
        groups: dict[str, str | None] = {}
        for index, name in items(aggregate.get("group_by")):
            if isinstance(name, str):
                yield from (((*here, "group_by", index), said) for said in self._group(name, groups))
                groups[name] = self.columns.get(name)
        results: dict[str, str | None] = {}
        for index, text in items(aggregate.get("metrics")):
            try:
                metric = parse_metric(text) if isinstance(text, str) else None
            except ValueError:  # the model says so
                continue
            if metric is not None:
                yield from (
                    ((*here, "metrics", index), said) for said in self._metric(metric, groups, results)
                )
        self.columns = {**groups, **results}

    def _group(self, name: str, groups: dict[str, str | None]) -> Iterator[str]:
        if name in groups:
            yield f"{name!r} stands in group_by twice; keep one"
        if name in self.columns:
            if self.columns[name] in _UNGROUPABLE:
                yield f"{name!r} is {self.columns[name]}, by which rows cannot be grouped; name single values"
        elif name in DATE_PARTS:
            yield from self._date_part(name)
        elif self._complete:
            hint = did_you_mean(name, [*self.columns, *DATE_PARTS])
            parts = "date, hour or window"
            yield f"{name!r} is neither a field nor a part of the event's time ({parts}){hint}"

    def _date_part(self, name: str) -> Iterator[str]:
        if name == "window" and dig(self.data, ("ingestion", "window_size")) is None:
            yield "window needs ingestion.window_size, a key of event_streaming, which says how long one is"
        if name != "date" and self.stamp != "TIMESTAMP":
            yield f"{name} needs an event time that is a TIMESTAMP; name one in schema.event_time"

    def _metric(
        self, metric: Metric, groups: dict[str, str | None], results: dict[str, str | None]
    ) -> Iterator[str]:
        results[metric.alias] = None
        if metric.alias in groups:
            yield f"{metric.alias!r} is already a name of group_by; give the metric another name"
        name = metric.field
        if name is None:
            results[metric.alias] = metric.result_type()
            if self._complete and metric.argument != "*":
                known = {path: kind == "RECORD" for path, kind in self.columns.items()}
                for unknown in unknown_names(metric.argument, known):
                    yield self._unknown(unknown) or f"{unknown!r} is not known here"
        elif unknown_field := self._unknown(name):
            yield unknown_field
        elif (kind := self.columns.get(name)) is not None:
            try:
                results[metric.alias] = metric.result_type(kind)
            except ValueError as error:
                yield str(error)

    def _unknown(self, name: str) -> str | None:
        if name in self.columns or not self._complete:
            return None
        return f"field {name!r} is not known here{did_you_mean(name, self.columns)}"
