"""A partition that is a table of another product's export: its manifest, and whether the schema fits it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hourglass.ingest.paging import digest
from hourglass.partition import SourceObject

if TYPE_CHECKING:
    from hourglass.config.schema import SchemaField

# BigQuery's API speaks of types by their older names.
_OLDER_NAMES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "STRUCT": "RECORD"}


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """One day's table, as BigQuery describes it.

    Args:
        table: `project.dataset.name`.
        etag: What changes whenever the table does.
        modified_ms: When it was last modified, in milliseconds since the epoch.
        rows: Its rows.
        bytes: Its logical size.
    """

    table: str
    etag: str
    modified_ms: int
    rows: int
    bytes: int

    def as_object(self) -> SourceObject:
        """The table as a listing of one object, by which its completeness is judged."""
        updated = datetime.fromtimestamp(self.modified_ms / 1000, tz=UTC)
        return SourceObject(self.table, self.modified_ms, self.bytes, updated, updated)


@dataclass(frozen=True, slots=True)
class ExportManifest:
    """The table that makes one partition; its rows stay where they are.

    Args:
        source: The source's id.
        partition: The partition's key.
        exported: The table.
    """

    source: str
    partition: str
    exported: ExportedTable

    @property
    def hash(self) -> str:
        """SHA-256 (hexadecimal) over source, partition and the table: another one once the table has changed."""
        return digest(self.source, self.partition, asdict(self.exported))

    @property
    def objects(self) -> tuple[SourceObject, ...]:
        """The table as a listing of one object."""
        return (self.exported.as_object(),)

    @property
    def bytes(self) -> int:
        """The table's logical size."""
        return self.exported.bytes

    @property
    def name(self) -> str:
        """Where the manifest lives in the ops bucket: one name per content, so racing writers agree."""
        return f"manifests/{self.source}/{self.partition}/{self.hash}.json"

    def to_json(self) -> str:
        """The file's content: a function of the table alone, byte for byte."""
        document = {
            "version": 1,
            "source": self.source,
            "partition": self.partition,
            "hash": self.hash,
            "exported": asdict(self.exported),
        }
        return json.dumps(document, indent=1)


def coverage_problems(
    fields: Iterable[SchemaField], columns: Iterable[Mapping[str, Any]], above: str = ""
) -> list[str]:
    """Where a table lacks what a schema file promises; columns that the file does not name are no problem.

    Args:
        fields: The schema file's.
        columns: The table's, as BigQuery's API describes them.
        above: Dotted path of the record that both are in, with a dot behind it.
    """
    there = {str(column["name"]).lower(): column for column in columns}
    problems = []
    for field in fields:
        name = field.source_path or field.name
        path = f"{above}{name}"
        column = there.get(name.lower())
        if column is None:
            problems.append(f"column {path} is missing")
            continue
        kind = _OLDER_NAMES.get(column["type"], column["type"])
        mode = column.get("mode") or "NULLABLE"
        if kind != field.type:
            problems.append(f"column {path} is {kind}, the schema file says {field.type}")
        elif (mode == "REPEATED") != (field.mode == "REPEATED"):
            problems.append(f"column {path} is {mode}, the schema file says {field.mode}")
        else:
            problems += coverage_problems(field.fields, column.get("fields", []), f"{path}.")
    return problems
