"""The files of a new source, as text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hourglass.cli.infer import Inferred
    from hourglass.cli.sample import Shape
    from hourglass.config.schema import SchemaField
    from hourglass.config.source import Source

FIRST_VERSION = "1.0"
# What a source without a sample begins with.
FIELDS: list[dict[str, Any]] = [
    {"name": "event_id", "type": "STRING", "mode": "REQUIRED", "description": "Identifies the event"},
    {"name": "event_timestamp", "type": "TIMESTAMP", "mode": "REQUIRED", "description": "When it happened"},
]


def source_text(source_id: str, *, location: str, daily: bool, shape: Shape, found: Inferred) -> str:
    """The source's YAML.

    Args:
        source_id: Its id.
        location: Where it lands.
        daily: Partitions of one day instead of one hour.
        shape: How its objects are written.
        found: What the sample said.
    """
    title = _title(source_id)
    folders = "year=YYYY/month=MM/day=DD/" + ("" if daily else "hour=hh/")
    lines = [
        "# yaml-language-server: $schema=../source.schema.json",
        f"source_id: {_quoted(source_id)}",
        f"display_name: {_quoted(title)}",
        f"description: {_quoted(f'{title}: say in a sentence what one record is.')}",
        "",
        "ingestion:",
        "  pattern: batch_file",
        f"  location: {location}",
        f"  path_template: hive              # {folders}",
        f'  schedule: "{"0 0 * * *" if daily else "0 * * * *"}"',
        *_format_lines(shape),
        "  completeness: {settle: 10s}      # how old the newest object must be",
        "",
        "schema:",
        f"  file: schemas/{source_id}/{FIRST_VERSION}.json",
        *([f"  event_time: {_quoted(found.event_time)}"] if found.event_time else []),
    ]
    steps = list(_steps(found))
    if steps:
        lines += ["", "processing:", "  bronze_to_silver:", *steps]
    return "\n".join(lines) + "\n"


def _title(source_id: str) -> str:
    return source_id.replace("_", " ").capitalize()


def _format_lines(shape: Shape) -> Iterator[str]:
    yield f"  format: {'json' if shape.kind == 'json_array' else shape.kind}"
    if shape.kind == "json_array":
        yield "  multiline: true                  # each object is one JSON array"
    if shape.kind == "csv" and (shape.delimiter, shape.header) != (",", True):
        header = "true" if shape.header else "false"
        yield f"  csv: {{header: {header}, delimiter: {json.dumps(shape.delimiter)}}}"
    if shape.kind != "parquet":
        yield f"  compression: {'gzip' if shape.gzipped else 'none'}"


def _steps(found: Inferred) -> Iterator[str]:
    if found.key:
        yield f"    - deduplication: {{key: [{', '.join(_quoted(name) for name in found.key)}]}}"
    if found.enrichment:
        yield "    - enrichment:"
    for added in found.enrichment:
        yield f"        - name: {_quoted(added['name'])}"
        yield f"          type: {added['type']}"
        yield f"          expression: {added['expression']}"
        yield f"          description: {_quoted(added['description'])}"


def _quoted(text: str) -> str:
    """A text as a YAML scalar; words such as null and texts with marks in them need quotes."""
    plain = text.replace("_", "").replace(".", "").isalnum() and not text[:1].isdigit()
    return text if plain and text.lower() not in ("null", "true", "false") else json.dumps(text)


def schema_text(source_id: str, fields: list[dict[str, Any]]) -> str:
    """The first version of the source's schema."""
    schema = {
        "source_id": source_id,
        "version": FIRST_VERSION,
        "description": f"One record of {_title(source_id).lower()}",
        "fields": fields,
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def suite_text(source: Source) -> str:
    """The expectations that hold for any source, and for this one's key and event time."""
    key, stamp = source.file.deduplication_key, source.event_time
    parts = [
        f"# What the gate expects of a candidate {source.grain} of {source.id}, before anybody can read it.\n"
        "# type is a Great Expectations class; severity and the other keys are its own arguments. critical stops\n"
        "# the partition, warning is recorded and notified.\nexpectations:"
    ]
    if len(key) == 1 and "." not in key[0]:
        parts.append(_expectation("ExpectColumnValuesToNotBeNull", key[0], "Every event has its key."))
        why = "A key occurs once per partition; refine removes repeats."
        parts.append(_expectation("ExpectColumnValuesToBeUnique", key[0], why))
    if stamp and "." not in stamp:
        why = "Every event has a time; its event date decides where it counts."
        parts.append(_expectation("ExpectColumnValuesToNotBeNull", stamp, why))
    why = "A candidate holds one partition; publishing replaces exactly that one."
    parts.append(
        _expectation("ExpectColumnUniqueValueCountToBeBetween", "landing_hour", why, extra="max_value: 1")
    )
    why = "Hardly any event has fields that the schema does not name; more call for a new schema version."
    parts.append(
        _expectation(
            "ExpectColumnValuesToBeNull", "unknown_fields", why, extra="mostly: 0.95", severity="warning"
        )
    )
    return "\n\n".join(parts).replace("expectations:\n\n", "expectations:\n", 1) + "\n"


def _expectation(kind: str, column: str, why: str, *, extra: str = "", severity: str = "critical") -> str:
    lines = [
        f"  - type: {kind}",
        f"    column: {_quoted(column)}",
        *([f"    {extra}"] if extra else []),
        f"    severity: {severity}",
        f"    description: {why}",
    ]
    return "\n".join(lines)


def page_text(source: Source) -> str:
    """The source's page: what it is, where it lands, its key, its fields."""
    file = source.file
    rows = [
        ("lands in", f"`{source.landing}`, one {source.grain} a partition"),
        ("event time", f"`{source.event_time}`" if source.event_time else "none"),
        ("key", ", ".join(f"`{name}`" for name in file.deduplication_key) or "none"),
        ("published as", f"`silver.{source.id}`; bad lines in `quarantine.{source.id}`"),
    ]
    facts = "\n".join(f"| {name} | {fact} |" for name, fact in rows)
    fields = "\n".join(_field_rows(source.schema.fields))
    return (
        f"# {file.display_name}\n\n{file.description}\n\n| | |\n|---|---|\n{facts}\n\n"
        f"## Fields\n\nSchema version {source.schema.version}.\n\n"
        f"| field | type | meaning |\n|---|---|---|\n{fields}\n"
    )


def _field_rows(fields: list[SchemaField]) -> Iterator[str]:
    for path, field in (pair for f in fields for pair in f.walk()):
        mark = (
            f", {field.classification}" if field.classification in ("pii", "sensitive", "restricted") else ""
        )
        mode = "" if field.mode == "NULLABLE" else f" {field.mode}"
        yield f"| `{path}` | {field.type}{mode}{mark} | {field.description} |"
