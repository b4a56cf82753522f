"""Where a partition's objects lie and what they are called, as the source's sender would do it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from hourglass.config.source import Source
from hourglass.partition import Partition

_ENDINGS = {"json": "json", "csv": "csv", "parquet": "parquet", "avro": "avro"}
_PACKED = ("parquet", "avro")  # these compress inside


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
        packed = ".gz" if ingestion.compression == "gzip" and ingestion.format not in _PACKED else ""
        return f".{_ENDINGS[ingestion.format]}{packed}"

    def name(self, table: str | None, index: int) -> str:
        """The name of an object in its bucket.

        Args:
            table: The table of a database_cdc source; None for others.
            index: The object's number in the partition, from 0; names sort as numbers do.
        """
        return self._prefix(table) + self._base(table, index) + self.ending

    def markers(self) -> Iterator[str]:
        """The names of the empty objects that complete the partition."""
        if marker := self.source.completeness.marker:
            yield self._prefix(None) + marker

    def _prefix(self, table: str | None) -> str:
        _, prefix = self.source.prefix(self.partition)
        return prefix

    def _base(self, table: str | None, index: int) -> str:
        make = {
            "event_streaming": self._pubsub,
            "database_cdc": self._datastream,
            "cloud_transfer": self._part,
        }
        return make.get(self.source.file.ingestion.pattern, self._plain)(table, index)

    def _plain(self, table: str | None, index: int) -> str:
        return f"{self.source.id}-{self._stamp()}-{index:03d}"

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

    def _stamp(self) -> str:
        return (
            f"{self.partition.start:%Y%m%dT%H%M}"
            if self.partition.start.hour
            else f"{self.partition.start:%Y%m%d}"
        )

    def _begun(self, index: int) -> datetime:
        return self.partition.start + (self.partition.end - self.partition.start) * index / self.objects

    def _uuid(self, index: int, more: str = "") -> str:
        text = f"{self.source.id}/{self.partition.key}/{index}/{more}"
        return str(UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))
