"""A resolved source: its file, its schema, and what the stages derive from both."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hourglass.config import path_template
from hourglass.config.models import SourceFile
from hourglass.config.schema import SYSTEM_COLUMNS, SourceSchema, column, table_columns
from hourglass.partition import Completeness, Grain, Manifest, Partition

QUARANTINE_COLUMNS = (
    ("landing_hour", "TIMESTAMP", "Start of the partition in which the line landed"),
    ("reason", "STRING", "Why the line was quarantined: a kind of damage or a rule's name"),
    ("field", "STRING", "The offending field, where one can be named"),
    ("raw_line", "BYTES", "The line as it was read"),
    ("source_object", "STRING", "The object the line was read from"),
    ("source_line", "INT64", "The line's number in its object, from 1"),
)


@dataclass(frozen=True)
class Source:
    """One source, ready to become a DAG.

    Args:
        file: The validated YAML.
        schema: The validated schema file.
    """

    file: SourceFile
    schema: SourceSchema

    @property
    def id(self) -> str:
        """The source's id, which is also the DAG's."""
        return self.file.source_id

    @property
    def grain(self) -> Grain:
        """The length of the source's partitions."""
        return self.file.ingestion.grain

    @property
    def completeness(self) -> Completeness:
        """When a partition is complete."""
        return self.file.ingestion.completeness_rule

    @property
    def bucket(self) -> str:
        """The bucket in which the source lands."""
        return self.file.ingestion.location.removeprefix("gs://").split("/", 1)[0]

    @property
    def by_creation_time(self) -> bool:
        """Without a path template an object belongs to the partition in which it was created."""
        return self.file.ingestion.path_template is None

    def prefix(self, partition: Partition) -> tuple[str, str]:
        """The bucket and the object prefix of one partition.

        Raises:
            ValueError: The partition has another grain than the source.
        """
        if partition.grain is not self.grain:
            raise ValueError(
                f"{partition.key} is one {partition.grain}, but {self.id} lands by the {self.grain}; "
                f"write it as {Partition(partition.start.replace(hour=0), self.grain).key}"
            )
        bucket, _, folder = self.file.ingestion.location.removeprefix("gs://").partition("/")
        template = self.file.ingestion.path_template
        if template is None:
            return bucket, folder
        return bucket, folder + path_template.render(path_template.resolve(template, self.grain), partition)

    @cached_property
    def event_time(self) -> str | None:
        """The field that carries the event's own time."""
        return self.file.schema_.event_time or self.schema.event_time_field()

    def columns(self) -> list[dict[str, Any]]:
        """The columns of the candidate and the published table, as BigQuery's API wants them."""
        added = [column(e.name, e.type, e.description) for e in self.file.enrichments]
        system = [column(*c) for c in SYSTEM_COLUMNS]
        return [table_columns(f) for f in self.schema.fields] + added + system

    @staticmethod
    def quarantine_columns() -> list[dict[str, Any]]:
        """The columns of the quarantine's tables."""
        return [column(*c) for c in QUARANTINE_COLUMNS]

    def refine_settings(self, partition: Partition) -> dict[str, Any]:
        """The part of the refine spec that comes from the configuration."""
        reference = self.file.schema_
        end = partition.end.strftime("%Y-%m-%d %H:%M:%S")
        event_time = self.event_time and {
            "field": self.event_time,
            "max_lateness_seconds": int(reference.max_lateness.total_seconds()),
            "max_ahead_seconds": int(reference.max_ahead.total_seconds()),
        }
        key = self.file.deduplication_key
        return {
            "format": {"type": self.file.ingestion.format, "compression": self.file.ingestion.compression},
            "schema": {
                "version": self.schema.version,
                "fields": [f.to_spec() for f in self.schema.fields],
            },
            "unknown_fields": reference.unknown_fields,
            "event_time": event_time,
            "deduplication": {"key": key} if key else None,
            "rules": [rule.to_spec(end) for rule in self.file.rules],
            "enrichment": [
                {"name": e.name, "type": e.type, "expression": e.expression} for e in self.file.enrichments
            ],
            "tables": {"silver": f"lake.silver.{self.id}", "quarantine": f"lake.quarantine.{self.id}"},
        }

    def refine_spec(self, manifest: Manifest, partition: Partition) -> dict[str, Any]:
        """The refine spec without what belongs to one batch: a function of manifest and configuration."""
        return {
            "version": 1,
            "source": self.id,
            "partition": {
                "key": partition.key,
                "grain": partition.grain.value,
                "start": f"{partition.start:%Y-%m-%dT%H:%M:%SZ}",
                "end": f"{partition.end:%Y-%m-%dT%H:%M:%SZ}",
            },
            "manifest": {
                "hash": manifest.hash,
                "objects": [
                    {"uri": f"gs://{manifest.bucket}/{o.name}", "generation": o.generation, "size": o.size}
                    for o in manifest.objects
                ],
            },
            **self.refine_settings(partition),
        }


def digest(spec: dict[str, Any]) -> str:
    """SHA-256 of a refine spec (hexadecimal): equal specs make equal rows."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
