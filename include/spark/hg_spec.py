"""The refine job's only input: the spec file, read into plain typed objects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SUPPORTED_VERSION = 1


class RefineError(Exception):
    """A failure whose message says what is wrong, where, and what to do next."""


@dataclass(frozen=True)
class Field:
    """One field of the source's schema.

    `fields` holds a RECORD's own fields, `path` where the value is in the data when that is not `name`.
    """

    name: str
    type: str
    mode: str
    fields: tuple[Field, ...] = ()
    path: tuple[str, ...] = ()

    @property
    def source(self) -> tuple[str, ...]:
        """The names that lead to the value in the data."""
        return self.path or (self.name,)

    @property
    def required(self) -> bool:
        """Whether the field must be present and not null."""
        return self.mode == "REQUIRED"

    @property
    def repeated(self) -> bool:
        """Whether the field is a list."""
        return self.mode == "REPEATED"


@dataclass(frozen=True)
class SourceObject:
    """One object of the manifest: `size` in bytes, `generation` None when it is not to be checked.

    Every line of a `dead_letter` object is quarantined.
    """

    uri: str
    generation: int | None
    size: int
    dead_letter: bool = False


@dataclass(frozen=True)
class Rule:
    """A Spark SQL boolean expression; a row for which it is false is quarantined under `name`.

    A rule of severity warning only counts such rows.
    """

    name: str
    field: str | None
    expression: str
    severity: str = "critical"


@dataclass(frozen=True)
class Enrichment:
    """A column computed by a Spark SQL expression and cast to `type`."""

    name: str
    type: str
    expression: str


@dataclass(frozen=True)
class Private:
    """A column that silver must not hold in plain; `method` is hash, mask or drop."""

    field: str
    method: str


@dataclass(frozen=True)
class Csv:
    """How the records of a CSV object are written; `quote` and `escape` None when there is none."""

    header: bool = True
    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    null_value: str = ""


@dataclass(frozen=True)
class EventTime:
    """The field that holds the event's own time and how far (seconds) it may lie from the partition."""

    field: str
    max_lateness_seconds: int
    max_ahead_seconds: int


@dataclass(frozen=True)
class Settled:
    """A line that is quarantined for `reason` unless it has a reason of its own."""

    uri: str
    line: int
    reason: str


@dataclass(frozen=True)
class Spec:
    """Everything one refine batch needs to know."""

    source: str
    batch_id: str
    partition: str
    start: datetime
    end: datetime
    manifest_hash: str
    objects: tuple[SourceObject, ...]
    format: str
    compression: str | None
    csv: Csv
    schema_version: str
    fields: tuple[Field, ...]
    unknown_fields: str
    permissive: bool
    event_time: EventTime | None
    key: tuple[str, ...]
    rules: tuple[Rule, ...]
    enrichment: tuple[Enrichment, ...]
    pii: tuple[Private, ...]
    silver_table: str
    quarantine_table: str
    outcome: str
    settled: tuple[Settled, ...] = ()

    @property
    def refusing(self) -> tuple[Rule, ...]:
        """The rules that quarantine a row."""
        return tuple(r for r in self.rules if r.severity != "warning")

    @property
    def warning(self) -> tuple[Rule, ...]:
        """The rules that only count a row."""
        return tuple(r for r in self.rules if r.severity == "warning")


def parse_spec(text: str, where: str = "the spec file") -> Spec:
    """Read a spec file.

    Args:
        text: the file's JSON text.
        where: the file's name, for error messages.

    Returns:
        The spec.

    Raises:
        RefineError: the text is not JSON, a key is missing, or the version is not the one this job reads.
    """
    try:
        raw = json.loads(text)
        if raw["version"] != SUPPORTED_VERSION:
            raise RefineError(
                f"{where} has version {raw['version']}, this job reads version {SUPPORTED_VERSION}: "
                "deploy the DAGs and the Spark job from the same commit"
            )
        return _spec(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise RefineError(
            f"{where} is not a spec file ({type(error).__name__}: {error}): clear the refine task to write it anew"
        ) from error


def _spec(raw: dict[str, Any]) -> Spec:
    partition, manifest, event_time = raw["partition"], raw["manifest"], raw.get("event_time")
    return Spec(
        source=raw["source"],
        batch_id=raw["batch_id"],
        partition=partition["key"],
        start=_utc(partition["start"]),
        end=_utc(partition["end"]),
        manifest_hash=manifest["hash"],
        objects=tuple(
            SourceObject(
                o["uri"],
                None if o["generation"] is None else int(o["generation"]),
                int(o["size"]),
                bool(o.get("dead_letter")),
            )
            for o in manifest["objects"]
        ),
        format=raw["format"]["type"],
        compression=raw["format"].get("compression"),
        csv=Csv(**(raw["format"].get("csv") or {})),
        schema_version=raw["schema"]["version"],
        # A column of a CSV object has one name, whatever is in it.
        fields=tuple(parse_field(f, raw["format"]["type"] != "csv") for f in raw["schema"]["fields"]),
        unknown_fields=raw["unknown_fields"],
        permissive=raw.get("validation") == "permissive",
        event_time=EventTime(**event_time) if event_time else None,
        key=tuple(raw["deduplication"]["key"]) if raw.get("deduplication") else (),
        rules=tuple(
            Rule(r["name"], r.get("field"), r["expression"], r.get("severity") or "critical")
            for r in raw.get("rules") or ()
        ),
        enrichment=tuple(
            Enrichment(e["name"], e["type"], e["expression"]) for e in raw.get("enrichment") or ()
        ),
        pii=tuple(Private(p["field"], p["method"]) for p in raw.get("pii") or ()),
        silver_table=raw["tables"]["silver"],
        quarantine_table=raw["tables"]["quarantine"],
        outcome=raw["outcome"],
        settled=tuple(
            Settled(uri, int(line), reason)
            for reason, places in (raw.get("settled") or {}).items()
            for uri, lines in places.items()
            for line in lines
        ),
    )


def parse_field(raw: dict[str, Any], dotted: bool = True) -> Field:
    """Read one field of a BigQuery style schema (name, type, mode, fields, source_path).

    Args:
        raw: the field.
        dotted: whether the dots of its source_path lead into records.
    """
    source = raw.get("source_path") or raw["name"]
    return Field(
        name=raw["name"],
        type=raw["type"].upper(),
        mode=(raw.get("mode") or "NULLABLE").upper(),
        fields=tuple(parse_field(f) for f in raw.get("fields") or ()),
        path=() if source == raw["name"] else tuple(source.split(".") if dotted else [source]),
    )


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment
