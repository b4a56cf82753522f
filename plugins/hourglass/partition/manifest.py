"""The frozen list of a partition's objects, and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Self


@dataclass(frozen=True, order=True, slots=True)
class SourceObject:
    """One landed object.

    Args:
        name: The object's name in its bucket.
        generation: GCS's generation, which changes whenever the object is replaced.
        size: Bytes as stored.
        updated: When the object was last written; not part of its identity.
        created: When this generation was created; not part of its identity.
        dead_letter: Whether it holds messages that could not be delivered, all of which are quarantined.
    """

    name: str
    generation: int
    size: int
    updated: datetime | None = None
    created: datetime | None = None
    dead_letter: bool = False

    def identity(self) -> tuple[str | int, ...]:
        """What the manifest's hash covers: times would make two equal listings differ."""
        return (self.name, self.generation, self.size, *(["dead_letter"] if self.dead_letter else []))

    def to_json(self) -> dict[str, Any]:
        """The object's identity but for its name, as manifests and specs have it."""
        mark = {"dead_letter": True} if self.dead_letter else {}
        return {"generation": self.generation, "size": self.size, **mark}


def manifest_name(source_id: str, key: str, digest: str) -> str:
    """Where a manifest lives in the ops bucket.

    Args:
        source_id: The source's id.
        key: The partition's key.
        digest: The manifest's hash.
    """
    return f"manifests/{source_id}/{key}/{digest}.json"


@dataclass(frozen=True)
class Manifest:
    """The objects that make one partition, in name order.

    Args:
        source: The source's id.
        partition: The partition's key.
        bucket: The bucket of all objects.
        objects: The objects; any order, kept sorted by name.
    """

    source: str
    partition: str
    bucket: str
    objects: tuple[SourceObject, ...]

    @classmethod
    def freeze(cls, source: str, partition: str, bucket: str, objects: Iterable[SourceObject]) -> Self:
        """Make a manifest from a listing."""
        return cls(source, partition, bucket, tuple(sorted(objects, key=SourceObject.identity)))

    @cached_property
    def hash(self) -> str:
        """SHA-256 over source, partition, bucket and the identities of the objects (hexadecimal)."""
        content = [self.source, self.partition, self.bucket, [o.identity() for o in self.objects]]
        return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()

    @property
    def bytes(self) -> int:
        """Total size of the objects as stored."""
        return sum(o.size for o in self.objects)

    def generations(self) -> dict[str, int]:
        """The generation of each object by its URI."""
        return {f"gs://{self.bucket}/{o.name}": o.generation for o in self.objects}

    @property
    def name(self) -> str:
        """Where the manifest lives in the ops bucket: one name per content, so racing writers agree."""
        return manifest_name(self.source, self.partition, self.hash)

    def to_json(self) -> str:
        """The file's content: a function of the listing alone, byte for byte."""
        document: dict[str, Any] = {
            "version": 1,
            "source": self.source,
            "partition": self.partition,
            "hash": self.hash,
            "bucket": self.bucket,
            "objects": [{"name": o.name, **o.to_json()} for o in self.objects],
        }
        return json.dumps(document, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a manifest file back.

        Raises:
            ValueError: The file's own hash does not match its content.
        """
        document = json.loads(text)
        objects = [
            SourceObject(o["name"], o["generation"], o["size"], dead_letter=o.get("dead_letter", False))
            for o in document["objects"]
        ]
        manifest = cls.freeze(document["source"], document["partition"], document["bucket"], objects)
        if manifest.hash != document["hash"]:
            raise ValueError(
                f"manifest of {manifest.source} {manifest.partition} was altered: its content hashes to "
                f"{manifest.hash}, it says {document['hash']}; clear the task `sense.wait` to write a new one"
            )
        return manifest
