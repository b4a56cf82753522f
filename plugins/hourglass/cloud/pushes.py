"""The record of a feature set's pushes in the ops bucket: which rows a push may have written.

`pushes/SOURCE/SET/PARTITION/ATTEMPT/` holds `start.json`, parts with entities, each written before the first of
its rows is sent, and `done.json`. So a push that was killed half-way still leaves a record of all it may have
written, and the next push of the partition removes what it no longer has. Parts are sorted and read as streams:
memory does not grow with the number of entities.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from hourglass.cloud import gcs
from hourglass.features.push import record_line

if TYPE_CHECKING:
    from google.cloud.storage import Client

_START, _DONE, _PART = "start.json", "done.json", "part-"
_BUFFER = 256 * 1024  # GCS takes multiples of this


@dataclass(frozen=True)
class Written:
    """Where an attempt writes, besides its entities.

    Args:
        as_of_ms: The cells' timestamp, milliseconds since the epoch.
        end: The end of the row keys.
        features: The features' names.
    """

    as_of_ms: int
    end: str
    features: list[str]


@dataclass(frozen=True)
class Attempt:
    """One push of one partition.

    Args:
        partition: The partition's key.
        number: From 1.
        parts: The names of the objects that list its entities.
        done: Whether it ended.
    """

    partition: str
    number: int
    parts: tuple[str, ...]
    done: bool


@dataclass(frozen=True)
class Pushes:
    """The pushes of one source's feature set.

    Args:
        storage: The storage client.
        bucket: The ops bucket.
        source: The source's id.
        feature_set: The set's name.
    """

    storage: Client
    bucket: str
    source: str
    feature_set: str

    @property
    def prefix(self) -> str:
        """What all objects of the set's record begin with."""
        return f"pushes/{self.source}/{self.feature_set}/"

    def attempts(self, partition: str | None = None) -> list[Attempt]:
        """The recorded pushes, of one partition or of all, in order."""
        prefix = f"{self.prefix}{partition}/" if partition else self.prefix
        names: dict[tuple[str, int], list[str]] = {}
        for found in gcs.list_objects(self.storage, self.bucket, prefix):
            key, number, rest = found.name.removeprefix(self.prefix).split("/", 2)
            names.setdefault((key, int(number)), []).append(rest)
        return [
            Attempt(
                key,
                number,
                tuple(r for r in rest if r.startswith(_PART) and r.endswith(".txt")),
                _DONE in rest,
            )
            for (key, number), rest in sorted(names.items())
        ]

    def start(self, partition: str, number: int, written: Written) -> bool:
        """Claim an attempt's number before anything is written.

        Returns:
            False when another process has claimed it.
        """
        text = json.dumps(asdict(written))
        return gcs.create_once(self.storage, self.bucket, self.name(partition, number, _START), text)

    def superseded(self, partition: str, number: int) -> bool:
        """Whether a later attempt has begun."""
        name = self.name(partition, number + 1, _START)
        return bool(self.storage.bucket(self.bucket).blob(name).exists())

    def add(self, partition: str, number: int, part: int, entities: Sequence[str]) -> None:
        """Write one part of an attempt's entities."""
        text = "".join(f"{record_line(e)}\n" for e in sorted(entities))
        gcs.write(self.storage, self.bucket, self.name(partition, number, f"{_PART}{part:06d}.txt"), text)

    def finish(self, partition: str, number: int, rows: int) -> None:
        """Note that an attempt has ended."""
        name = self.name(partition, number, _DONE)
        gcs.write(self.storage, self.bucket, name, json.dumps({"rows": rows}))

    def written(self, attempt: Attempt) -> Written | None:
        """Where an attempt may have written; None when it has left no more than objects without a start."""
        text = gcs.read_text(self.storage, self.bucket, self.name(attempt.partition, attempt.number, _START))
        return Written(**json.loads(text)) if text else None

    def entities(self, attempts: Sequence[Attempt]) -> list[Iterator[str]]:
        """The entities of attempts: a sorted stream for each part."""
        return [self._lines(self.name(a.partition, a.number, part)) for a in attempts for part in a.parts]

    def _lines(self, name: str) -> Iterator[str]:
        with (
            self.storage.bucket(self.bucket)
            .blob(name)
            .open("r", chunk_size=_BUFFER, encoding="utf-8") as file
        ):
            for line in file:
                yield json.loads(line)

    def forget(self, attempts: Sequence[Attempt]) -> None:
        """Delete attempts' records, `start.json` last: it names the features of what is left."""
        for attempt in attempts:
            folder = self.name(attempt.partition, attempt.number, "")
            found = [o.name for o in gcs.list_objects(self.storage, self.bucket, folder)]
            for name in sorted(found, key=lambda n: n.endswith(_START)):
                self.storage.bucket(self.bucket).blob(name).delete()

    def name(self, partition: str, number: int, rest: str) -> str:
        """The name of an object of an attempt."""
        return f"{self.prefix}{partition}/{number:06d}/{rest}"


def forget_set(storage: Client, bucket: str, feature_set: str) -> dict[str, list[str]]:
    """Delete the whole record of a set, whose rows are gone.

    Returns:
        The partitions that had been pushed, by source, in order.
    """
    found: dict[str, set[str]] = {}
    for item in gcs.list_objects(storage, bucket, "pushes/"):
        _, source, name, partition, _ = item.name.split("/", 4)
        if name == feature_set:
            found.setdefault(source, set()).add(partition)
            storage.bucket(bucket).blob(item.name).delete()
    return {source: sorted(partitions) for source, partitions in found.items()}
