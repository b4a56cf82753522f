"""Where a partition's objects lie and what they are called, as the source's sender would do it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from uuid import UUID

from hourglass.config.path_template import TABLE
from hourglass.config.patterns import BigqueryExport
from hourglass.config.source import Source
from hourglass.generate.core import GenerateError
from hourglass.partition import Partition


@dataclass(frozen=True)
class Layout:
    """The objects of one partition.

    Args:
        source: The source.
        partition: The partition.
        objects: How many objects a prefix gets.
    """

    source: Source
    partition: Partition
    objects: int = 1

    @property
    def ending(self) -> str:
        """What the objects' names end with."""
        ingestion = self.source.file.ingestion
        return f".{ingestion.format}{'.gz' if ingestion.compression == 'gzip' else ''}"

    def name(self, table: str | None, index: int, *, dead_letter: bool = False) -> str:
        """The name of an object in its bucket.

        Args:
            table: The table of a database_cdc record; None for other sources.
            index: The object's number in the partition, from 0; names sort as numbers do.
            dead_letter: The object holds messages that could not be delivered.

        Raises:
            GenerateError: The source has no such table.
        """
        ingestion = self.source.file.ingestion
        if isinstance(ingestion, BigqueryExport):
            # No bucket: one file for each daily table, named like it, for BigQuery to load.
            return f"{ingestion.source_table.replace('.', '/')}{self.partition.stamp}-{index:03d}.json"
        make = {
            "event_streaming": self._pubsub,
            "database_cdc": self._datastream,
            "cloud_transfer": self._part,
        }
        base = make.get(ingestion.pattern, self._plain)(table, index)
        return self._prefix(table, dead_letter) + base + self.ending

    def markers(self) -> Iterator[str]:
        """The names of the empty objects that complete the partition."""
        if marker := self.source.completeness.marker:
            yield self._prefixes[0] + marker

    @cached_property
    def _prefixes(self) -> list[str]:
        return self.source.prefixes(self.partition)[1]

    def _prefix(self, table: str | None, dead_letter: bool) -> str:
        tables = self.source.file.ingestion.table_names
        if dead_letter:
            return self._prefixes[-1]
        if not tables or TABLE not in (self.source.file.ingestion.template or ""):
            return self._prefixes[0]
        if table not in tables:
            raise GenerateError(
                f"a record of {self.source.id} is of table {table!r}, but it has {', '.join(tables)}; correct "
                "table_of or source_metadata.table in its generator"
            )
        return self._prefixes[tables.index(table)]

    def _plain(self, table: str | None, index: int) -> str:
        return f"{self.source.id}-{self.partition.stamp}-{index:03d}"

    def _pubsub(self, table: str | None, index: int) -> str:
        """As a Pub/Sub subscription that writes to GCS: when the file was begun, and a uuid."""
        return f"{self._begun(index):%M_%S}Z_{self._uuid(index)}"

    def _datastream(self, table: str | None, index: int) -> str:
        """As Datastream: a folder for the minute, then hash, kind and place in the log."""
        digest = self._uuid(index, table or "").replace("-", "")
        return f"{self._begun(index):%M}/{digest}_postgresql-cdc_{index:06d}_0_{digest[:8]}"

    def _part(self, table: str | None, index: int) -> str:
        """As Spark names what it writes to S3."""
        return f"part-{index:05d}-{self._uuid(0)}-c000"

    def _begun(self, index: int) -> datetime:
        return self.partition.start + (self.partition.end - self.partition.start) * index / self.objects

    def _uuid(self, index: int, more: str = "") -> str:
        text = f"{self.source.id}/{self.partition.key}/{index}/{more}"
        return str(UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))
