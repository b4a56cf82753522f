"""A resolved source: its file, its schema, and what the stages derive from both."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hourglass.config import path_template
from hourglass.config.ingestion import CsvFormat
from hourglass.config.models import SourceFile
from hourglass.config.patterns import CloudTransfer, EventStreaming
from hourglass.config.platform import raw_bucket
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
        """How the source's time is cut into partitions."""
        return self.file.ingestion.grain

    @property
    def runbook(self) -> str | None:
        """The source's own runbook, if it has one."""
        return self.file.runbook

    @property
    def completeness(self) -> Completeness:
        """When a partition is complete."""
        return self.file.ingestion.completeness_rule

    @cached_property
    def location(self) -> str:
        """Where the source lands: `gs://bucket/prefix/`."""
        return self.file.ingestion.folder or f"gs://{raw_bucket()}/{self.id}/"

    @property
    def landing(self) -> str:
        """The part of the bucket that belongs to the source, tokens of the path template not filled in."""
        return self.location + (self.file.ingestion.template or "")

    def landings(self) -> list[tuple[str, str]]:
        """What belongs to the source in the bucket, tokens of the clock not filled in, each with its YAML key."""
        ingestion, template = self.file.ingestion, self.file.ingestion.template or ""
        key = "destination" if isinstance(ingestion, CloudTransfer) and ingestion.destination else "location"
        tables: list[str] = ingestion.table_names if path_template.TABLE in template else [""]
        mine = [(key, self.location + template.replace(path_template.TABLE, table)) for table in tables]
        if isinstance(ingestion, EventStreaming) and ingestion.dead_letter is not None:
            mine.append(("dead_letter", f"{ingestion.dead_letter}{template}"))
        return mine

    @property
    def bucket(self) -> str:
        """The bucket in which the source lands."""
        return self.location.split("/")[2]

    @property
    def by_creation_time(self) -> bool:
        """Without a path template an object belongs to the partition in which it was created."""
        return self.file.ingestion.template is None

    @property
    def dead_letter_prefix(self) -> str | None:
        """The prefix in the bucket below which undelivered messages land; None when there is none."""
        ingestion = self.file.ingestion
        if not isinstance(ingestion, EventStreaming) or ingestion.dead_letter is None:
            return None
        return ingestion.dead_letter.split("/", 3)[3]

    def prefixes(self, partition: Partition) -> tuple[str, list[str]]:
        """The bucket and the object prefixes of one partition: one for each table, the dead letters' last.

        Raises:
            ValueError: The partition has another grain than the source.
        """
        if partition.grain != self.grain:
            near = Partition.containing(partition.start, self.grain).key
            raise ValueError(
                f"{partition.key} is {partition.grain.length_in_words}, but the partitions of {self.id} are "
                f"{self.grain.length_in_words}; "
                f"write it as {near}"
            )
        ingestion, folder = self.file.ingestion, self.location.split("/", 3)[3]
        template = ingestion.template or ""
        tables: list[str] = ingestion.table_names if path_template.TABLE in template else [""]
        paths = [folder + path_template.render(template, partition, table) for table in tables]
        if self.dead_letter_prefix is not None:
            paths.append(self.dead_letter_prefix + path_template.render(template, partition))
        return self.bucket, paths

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
            "format": self._format(),
            "schema": {
                "version": self.schema.version,
                "fields": [f.to_spec() for f in self.schema.fields],
            },
            "validation": reference.validation,
            "unknown_fields": reference.unknown_fields,
            "event_time": event_time,
            "deduplication": {"key": key} if key else None,
            "rules": [rule.to_spec(end) for rule in self.file.row_rules],
            "enrichment": [
                {"name": e.name, "type": e.type, "expression": e.expression} for e in self.file.enrichments
            ],
            "pii": [{"field": name, "method": method} for name, method in self.file.pii],
            "tables": {"silver": f"lake.silver.{self.id}", "quarantine": f"lake.quarantine.{self.id}"},
        }

    def _format(self) -> dict[str, Any]:
        ingestion = self.file.ingestion
        kind = "json_array" if ingestion.multiline else ingestion.format
        spec: dict[str, Any] = {"type": kind, "compression": ingestion.compression}
        if kind == "csv":
            spec["csv"] = (ingestion.csv or CsvFormat()).model_dump()
        return spec

    def refine_spec(self, manifest: Manifest, partition: Partition) -> dict[str, Any]:
        """The refine spec without what belongs to one batch: a function of manifest and configuration."""
        return {
            "version": 1,
            "source": self.id,
            "partition": {
                "key": partition.key,
                "grain": str(partition.grain),
                "start": f"{partition.start:%Y-%m-%dT%H:%M:%SZ}",
                "end": f"{partition.end:%Y-%m-%dT%H:%M:%SZ}",
            },
            "manifest": {
                "hash": manifest.hash,
                "objects": [
                    {"uri": f"gs://{manifest.bucket}/{o.name}", **o.to_json()} for o in manifest.objects
                ],
            },
            **self.refine_settings(partition),
        }


def digest(spec: dict[str, Any]) -> str:
    """SHA-256 of a refine spec (hexadecimal): equal specs make equal rows."""
    return hashlib.sha256(json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
