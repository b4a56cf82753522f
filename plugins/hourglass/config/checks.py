"""What a source file says about its schema and its SQL: fields, columns and files that must exist.

The checks read the plain values, not the models, so that they also run when something else in the file is
wrong: all mistakes come in one go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hourglass.config.dbt_checks import tag_problem
from hourglass.config.document import Document, Location
from hourglass.config.errors import Problem, did_you_mean
from hourglass.config.expressions import imbalance, unknown_names
from hourglass.config.gold_checks import GoldChecks
from hourglass.config.known_tables import KnownTables
from hourglass.config.plain import GOLD_STEPS, STEPS, dig, enrichments, items
from hourglass.config.rule_checks import repeated_above, rule_problems
from hourglass.config.schema import SYSTEM_COLUMNS, SchemaField, SourceSchema

_CLUSTERED = ("STRING", "INT64", "NUMERIC", "BOOL", "TIMESTAMP", "DATE", "JSON")
_SQL = {
    "materialized_views": ("materialized_views", r"\bcreate\b.*\bmaterialized\s+view\b"),
    "feature_sets": ("features", r"\bselect\b"),
}
_WORDS = {"materialized_views": "CREATE MATERIALIZED VIEW", "features": "SELECT"}
_MOST_LISTED = 30
_COMMENTS = re.compile(r"--[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class CrossChecks:
    """One file's checks against its schema and the include folder.

    Args:
        document: The source file.
        schema: Its schema; None when that could not be read, which has been said already.
        include: The include folder.
    """

    document: Document
    schema: SourceSchema | None
    include: Path

    @cached_property
    def _tables(self) -> KnownTables:
        return KnownTables(self.include)

    @property
    def paths(self) -> dict[str, SchemaField]:
        """The schema's fields by their dotted path."""
        return self.schema.paths() if self.schema else {}

    def problems(self) -> Iterator[Problem]:
        """Every mistake."""
        paths = self.paths
        for location, message in self._steps(paths):
            yield self.document.problem(location, message, reference=reference_of(location))
        others = (self._event_time(paths), self._cluster_by(paths), self._sql_files(), self._gold(paths))
        for location, message in [pair for found in others for pair in found]:
            yield self.document.problem(location, message, reference=reference_of(location))
        source_id = dig(self.document.data, ("source_id",))
        if isinstance(source_id, str) and (said := tag_problem(self.include, source_id)):
            yield self.document.problem(("source_id",), said, reference="source-file.md#top-level")

    def _gold(self, paths: Mapping[str, SchemaField]) -> Iterator[tuple[Location, str]]:
        if self.schema is None or not dig(self.document.data, GOLD_STEPS):
            return
        columns: dict[str, str | None] = {
            path: "REPEATED" if repeated_above(path, paths) else f.type for path, f in paths.items()
        }
        columns |= {name: kind for name, kind, _ in SYSTEM_COLUMNS}
        columns |= {str(e.get("name")): str(e.get("type")) for _, e in enrichments(self.document.data)}
        named = dig(self.document.data, ("schema", "event_time")) or self.schema.event_time_field()
        stamp = columns.get(named) if isinstance(named, str) else None
        yield from GoldChecks(self.document.data, columns, stamp, self._tables).problems()

    def _steps(self, paths: Mapping[str, SchemaField]) -> Iterator[tuple[Location, str]]:
        seen: dict[str, Location] = {}
        for number, step in items(dig(self.document.data, STEPS)):
            here = (*STEPS, number)
            if dig(step, ("deduplication",)) is not None:
                if "deduplication" in seen:
                    yield (*here, "deduplication"), "there is a deduplication step already; write one key"
                seen["deduplication"] = here
                yield from self._key(
                    (*here, "deduplication", "key"), dig(step, ("deduplication", "key")), paths
                )
            yield from self._pii((*here, "pii"), dig(step, ("pii",)), paths)
            rules = dig(step, ("data_quality", "rules"))
            yield from self._rules((*here, "data_quality", "rules"), rules, paths, seen)
        yield from self._enrichments(paths)

    def _key(
        self, location: Location, key: Any, paths: Mapping[str, SchemaField]
    ) -> Iterator[tuple[Location, str]]:
        seen: set[str] = set()
        for index, name in items(key):
            if not isinstance(name, str):
                continue
            if name in seen:
                yield (*location, index), f"{name!r} stands in the key twice; keep one"
            seen.add(name)
            if unknown := self._unknown(name, paths):
                yield (*location, index), unknown
            elif outer := repeated_above(name, paths):
                yield (
                    (*location, index),
                    f"{name!r} is a list or inside one (REPEATED {outer}), so that a row has many of them; "
                    "name fields that a row has once",
                )

    def _pii(
        self, location: Location, step: Any, paths: Mapping[str, SchemaField]
    ) -> Iterator[tuple[Location, str]]:
        added = {str(e.get("name")): str(e.get("type")) for _, e in enrichments(self.document.data)}
        types = {path: f.type for path, f in paths.items()} | added
        seen: dict[str, str] = {}
        for method in ("hash", "mask", "drop"):
            for index, name in items(dig(step, (method,))):
                if not isinstance(name, str):
                    continue
                here = (*location, method, index)
                if name in seen:
                    yield here, f"{name!r} stands below {seen[name]} already; keep one"
                seen[name] = method
                if name not in types and (unknown := self._unknown(name, paths)):
                    yield here, unknown
                elif method != "drop" and types.get(name, "STRING") != "STRING":
                    yield here, f"{method} is for STRING fields, but {name!r} is {types[name]}; use drop"

    def _rules(
        self, location: Location, rules: Any, paths: Mapping[str, SchemaField], seen: dict[str, Location]
    ) -> Iterator[tuple[Location, str]]:
        for index, rule in items(rules):
            if not isinstance(rule, dict):
                continue
            here = (*location, index)
            name, check = rule.get("field"), rule.get("check")
            if isinstance(name, str) and (unknown := self._unknown(name, paths)):
                yield (*here, "field"), unknown
            yield from self._set_level(here, rule, paths)
            for inner, message in rule_problems(rule, paths):
                yield (*here, *inner), message
            if check == "expression":
                yield from self._expression((*here, "expression"), rule.get("expression"), paths)
            on = name or ", ".join(str(f) for _, f in items(rule.get("fields")))
            reason = f"rule {rule.get('name') or f'{check} on {on}'}"
            if reason in seen and isinstance(check, str):
                yield here, f"{reason} stands here a second time; give it a name of its own"
            seen[reason] = here

    def _set_level(
        self, here: Location, rule: Mapping[str, Any], paths: Mapping[str, SchemaField]
    ) -> Iterator[tuple[Location, str]]:
        yield from self._key((*here, "fields"), rule.get("fields"), paths)
        table, column = rule.get("table"), rule.get("column") or rule.get("field")
        if rule.get("check") != "referential" or not (isinstance(table, str) and isinstance(column, str)):
            return
        if said := self._tables.problem(table, str(dig(self.document.data, ("source_id",)))):
            yield (*here, "table"), said
        elif (theirs := self._tables.columns(table)) is not None and column not in theirs:
            place = "column" if "column" in rule else "field"
            yield (*here, place), f"{table} has no column {column!r}{did_you_mean(column, theirs)}"

    def _enrichments(self, paths: Mapping[str, SchemaField]) -> Iterator[tuple[Location, str]]:
        added: dict[str, SchemaField] = {}
        taken = {name: "a column that Hourglass adds" for name, _, _ in SYSTEM_COLUMNS}
        taken |= {path.lower(): "a field of the schema" for path in paths if "." not in path}
        for location, item in enrichments(self.document.data):
            name = item.get("name")
            if item.get("type") == "RECORD":
                yield (*location, "type"), "an enrichment is one value; write JSON for anything nested"
            yield from self._expression((*location, "expression"), item.get("expression"), {**paths, **added})
            if not isinstance(name, str):
                continue
            if what := taken.get(name.lower()):
                yield (*location, "name"), f"{name!r} is the name of {what}; choose another"
            taken[name.lower()] = "an earlier enrichment"
            added[name] = SchemaField.model_construct(name=name, type="STRING", mode="NULLABLE", fields=[])

    def _expression(
        self, location: Location, text: Any, paths: Mapping[str, SchemaField]
    ) -> Iterator[tuple[Location, str]]:
        if not isinstance(text, str):
            return
        if reason := imbalance(text):
            yield location, f"{reason} in {text!r}"
        elif self.schema is not None:
            known = {p: f.type == "RECORD" and f.mode != "REPEATED" for p, f in paths.items()}
            for name in unknown_names(text, known):
                yield (
                    location,
                    f"{name!r} is no field that this expression can use{did_you_mean(name, paths)}",
                )

    def _event_time(self, paths: Mapping[str, SchemaField]) -> Iterator[tuple[Location, str]]:
        location: Location = ("schema", "event_time")
        name = dig(self.document.data, location)
        if not isinstance(name, str):
            return
        if unknown := self._unknown(name, paths):
            yield location, unknown
        elif name in paths and paths[name].type not in ("TIMESTAMP", "DATE"):
            yield location, f"event_time {name!r} is {paths[name].type}; it must be a TIMESTAMP or a DATE"
        elif outer := repeated_above(name, paths):
            yield (
                location,
                f"event_time {name!r} is a list or inside one (REPEATED {outer}); a row has one time",
            )

    def _cluster_by(self, paths: Mapping[str, SchemaField]) -> Iterator[tuple[Location, str]]:
        columns: dict[str, str] = {
            p: f.type if f.mode != "REPEATED" else "REPEATED" for p, f in paths.items() if "." not in p
        }
        columns |= {name: kind for name, kind, _ in SYSTEM_COLUMNS}
        columns |= {str(e.get("name")): str(e.get("type")) for _, e in enrichments(self.document.data)}
        seen: set[str] = set()
        for index, name in items(dig(self.document.data, ("serving", "cluster_by"))):
            location = ("serving", "cluster_by", index)
            if not isinstance(name, str) or self.schema is None:
                continue
            if name in seen:
                yield location, f"{name!r} stands in cluster_by twice; keep one"
            seen.add(name)
            if name in paths and "." in name:
                yield location, f"{name!r} is inside a RECORD; BigQuery clusters by whole columns only"
            elif name not in columns:
                yield location, f"field {name!r} is not in {self._schema_file()}{did_you_mean(name, columns)}"
            elif columns[name] not in _CLUSTERED:
                yield (
                    location,
                    f"{name!r} is {columns[name]}; BigQuery clusters by {', '.join(_CLUSTERED[:-1])}",
                )

    def _sql_files(self) -> Iterator[tuple[Location, str]]:
        for kind, (folder, needed) in _SQL.items():
            for index, item in items(dig(self.document.data, ("serving", kind))):
                where: Location = ("serving", kind, index)
                name = item
                if isinstance(item, dict):
                    where, name = (*where, "name"), item.get("name")
                if isinstance(name, str) and (message := self._sql_file(folder, name, needed)):
                    yield where, message

    def _sql_file(self, folder: str, name: str, needed: str) -> str | None:
        path = self.include / "sql" / folder / f"{name}.sql"
        try:
            text = _COMMENTS.sub(" ", path.read_text("utf-8"))
        except (OSError, ValueError):
            there = [p.stem for p in path.parent.glob("*.sql")]
            return f"there is no include/sql/{folder}/{name}.sql{did_you_mean(name, there)}"
        if not re.search(needed, text, re.IGNORECASE | re.DOTALL):
            return f"include/sql/{folder}/{name}.sql has no {_WORDS[folder]}; write it there"
        if folder == "materialized_views" and f"mv_{name}" not in text:
            return f"include/sql/{folder}/{name}.sql does not create gold.mv_{name}; give the view that name"
        return None

    def _unknown(self, name: str, paths: Mapping[str, SchemaField]) -> str | None:
        if self.schema is None or name in paths:
            return None
        hint = did_you_mean(name, paths)
        if "did you mean" in hint:
            listed = list(paths)[:_MOST_LISTED]
            more = f" and {len(paths) - len(listed)} more" if len(paths) > len(listed) else ""
            hint += f" It has {', '.join(listed)}{more}"
        return f"field {name!r} is not in {self._schema_file()}{hint}"

    def _schema_file(self) -> str:
        return str(dig(self.document.data, ("schema", "file")))


def reference_of(location: Location) -> str:
    """The part of the reference that describes the keys at a place of a source file."""
    if "rules" in location:
        return "checks.md#row-level-rules"
    if location[:2] == ("ingestion", "completeness"):
        return "source-file.md#completeness"
    first = location[0] if len(location) > 1 else ""
    headings = ("ingestion", "schema", "processing", "serving", "monitoring", "retention")
    return f"source-file.md#{first if first in headings else 'top-level'}"
