"""A schema file: the fields of one version of one source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from hourglass.config.types import Strict

FieldType = Literal[
    "STRING", "BYTES", "INT64", "FLOAT64", "NUMERIC", "BOOL", "TIMESTAMP", "DATE", "JSON", "RECORD"
]
Mode = Literal["REQUIRED", "NULLABLE", "REPEATED"]
Classification = Literal["public", "sensitive", "pii", "restricted"]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,299}$")]

# The columns that Hourglass adds to every silver row, in order.
SYSTEM_COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("landing_hour", "TIMESTAMP", "Start of the partition in which the row landed"),
    ("event_date", "DATE", "UTC date of the event's own time"),
    ("source_object", "STRING", "The object the row was read from"),
    ("source_line", "INT64", "The row's line number in its object, from 1"),
    ("unknown_fields", "STRING", "JSON text of fields that the schema does not name"),
)


class SchemaField(Strict):
    """One column, possibly a record of columns."""

    name: FieldName
    type: FieldType
    mode: Mode = "NULLABLE"
    description: str = ""
    classification: Classification | None = None
    fields: list[SchemaField] = []
    source_path: Annotated[str, StringConstraints(min_length=1)] | None = None

    @model_validator(mode="after")
    def _records_have_fields(self) -> Self:
        if self.type == "RECORD" and not self.fields:
            raise ValueError(f"RECORD {self.name} has no fields; list them under `fields`")
        if self.type != "RECORD" and self.fields:
            raise ValueError(f"{self.name} is {self.type} and has fields; only a RECORD has fields")
        return self

    def walk(self, prefix: str = "") -> Iterator[tuple[str, SchemaField]]:
        """This field and all fields below it, each with its dotted path."""
        path = f"{prefix}{self.name}"
        yield path, self
        for child in self.fields:
            yield from child.walk(f"{path}.")

    def to_spec(self) -> dict[str, Any]:
        """The field as the refine job reads it."""
        spec: dict[str, Any] = {"name": self.name, "type": self.type, "mode": self.mode}
        if self.source_path is not None:
            spec["source_path"] = self.source_path
        if self.fields:
            spec["fields"] = [f.to_spec() for f in self.fields]
        return spec


class SourceSchema(Strict):
    """One version of a source's schema.

    Args:
        source_id: The source it belongs to.
        version: `major.minor`.
        fields: The columns, in order.
    """

    source_id: str
    version: Annotated[str, StringConstraints(pattern=r"^\d+(\.\d+){0,2}$")]
    description: str = ""
    fields: Annotated[list[SchemaField], Field(min_length=1)]

    @field_validator("fields")
    @classmethod
    def _names_are_unique(cls, fields: list[SchemaField]) -> list[SchemaField]:
        seen: set[str] = set()
        reserved = {name for name, _, _ in SYSTEM_COLUMNS}
        for path, _ in (pair for f in fields for pair in f.walk()):
            folded = path.lower()
            if folded in seen:
                raise ValueError(f"field {path} stands twice (BigQuery ignores case); rename one")
            if folded in reserved:
                raise ValueError(f"field {path} has the name of a column that Hourglass adds; rename it")
            seen.add(folded)
        return fields

    def paths(self) -> dict[str, SchemaField]:
        """Every field by its dotted path."""
        return dict(pair for f in self.fields for pair in f.walk())

    def event_time_field(self) -> str | None:
        """The field that carries the event's own time, when the schema leaves no doubt.

        The first usual name among the top-level TIMESTAMP fields, or the only one there is.
        """
        stamps = [f.name for f in self.fields if f.type == "TIMESTAMP" and f.mode != "REPEATED"]
        usual = ("event_timestamp", "event_time", "timestamp", "created_at", "occurred_at")
        named = [name for name in usual if name in stamps]
        if named:
            return named[0]
        return stamps[0] if len(stamps) == 1 else None


def column(name: str, kind: str, description: str = "", mode: str = "NULLABLE") -> dict[str, Any]:
    """One column of a BigQuery table resource."""
    resource = {"name": name, "type": _bigquery_type(kind), "mode": mode}
    return {**resource, "description": description} if description else resource


def _bigquery_type(kind: str) -> str:
    # Parquet carries JSON as text and BigQuery loads it into STRING; JSON_VALUE reads either.
    return {"JSON": "STRING"}.get(kind, kind)


def table_columns(field: SchemaField) -> dict[str, Any]:
    """One schema field as a column of a BigQuery table resource.

    A REQUIRED field stays NULLABLE in the table: the refine job has already quarantined the rows that lack
    it, and BigQuery could never relax it again in a table that is loaded partition by partition.
    """
    mode = "REPEATED" if field.mode == "REPEATED" else "NULLABLE"
    resource = column(field.name, field.type, field.description, mode)
    if field.fields:
        resource["fields"] = [table_columns(child) for child in field.fields]
    return resource
