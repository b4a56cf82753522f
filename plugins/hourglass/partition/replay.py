"""Replays: quarantined lines that were landed again, as a new object of the same partition. Pure.

A replay object names its own provenance: a file with one record a line, which says of which quarantined line it takes
the place. A line's replays form a tree, and exactly one line of a tree counts: so nothing is lost, and
nothing is doubled, whatever a later rule, schema or file says about the original.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hourglass.partition.clock import Partition
from hourglass.partition.manifest import SourceObject

REPLAYED = "replayed"
OUTDATED = "replay_outdated"
SETTLED = (REPLAYED, OUTDATED)  # reasons of lines about which nobody has to decide
_NAME = re.compile(r"(?:^|/)hourglass-replay-(?P<stamp>\d{8,12})-(?P<digest>[0-9a-f]{16})\.[^/]+$")

Settled = dict[str, dict[str, list[int]]]


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """Where a line stands.

    Args:
        object: The object's URI.
        generation: The object's generation.
        line: The line's number, from 1.
    """

    object: str
    generation: int
    line: int

    def to_json(self) -> list[str | int]:
        """The place as a JSON value."""
        return [self.object, self.generation, self.line]


@dataclass(frozen=True, order=True, slots=True)
class ReplayedLine:
    """A line of a replay object and the lines of which it takes the place.

    Args:
        object: The replay object's URI.
        line: The line's number there, from 1.
        origins: The quarantined line; where that is a replay's itself, also the one behind it, and so on.
    """

    object: str
    line: int
    origins: tuple[Place, ...]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> ReplayedLine:
        """Read a provenance record."""
        origins = tuple(Place(str(o), int(g), int(n)) for o, g, n in json.loads(record["origins"]))
        return cls(str(record["replay_object"]), int(record["replay_line"]), origins)


def digest_of(partition: Partition, prefix: str, origins: Sequence[Place], texts: Sequence[bytes]) -> str:
    """What names a replay: the same lines with the same repair are the same object (16 hexadecimal digits).

    Args:
        partition: The partition.
        prefix: The bucket and folder that the object lies in.
        origins: The lines of which it takes the place.
        texts: The new lines.
    """
    places = [o.to_json() for o in origins]
    head = json.dumps([partition.key, prefix, places], separators=(",", ":")).encode()
    whole = hashlib.sha256(head)
    for text in texts:
        whole.update(b"%d:" % len(text) + text)
    return whole.hexdigest()[:16]


def object_name(partition: Partition, digest: str, ending: str) -> str:
    """A replay object's base name.

    Args:
        partition: The partition, which the name tells where the object's folder does not.
        digest: What `digest_of` returns.
        ending: The ending that the source's objects have, such as `.json.gz`.
    """
    return f"hourglass-replay-{partition.stamp}-{digest}{ending}"


def record_name(source_id: str, partition_key: str, digest: str) -> str:
    """Where the records of an action lie in the ops bucket: a replay's provenance, or what was discarded."""
    return f"replays/{source_id}/{partition_key}/{digest}.jsonl"


def digest_in(name: str) -> str | None:
    """The digest in a replay object's name; None for any other object."""
    found = _NAME.search(name)
    return found["digest"] if found else None


def created_in(o: SourceObject, partition: Partition) -> bool:
    """Whether an object belongs to a partition by its creation time; a replay's name says its partition instead.

    Args:
        o: The object.
        partition: The partition.
    """
    found = _NAME.search(o.name)
    if found:
        return found["stamp"] == partition.stamp
    return o.created is not None and partition.start <= o.created < partition.end


def settle(generations: Mapping[str, int], lines: Iterable[ReplayedLine]) -> Settled:
    """The lines that do not count: those of which a replayed line takes the place, and replays that are void.

    A replayed line is void when an object that it comes from has been replaced or removed since: what the producer
    sent last is what counts. Where a line was replayed twice, the replay whose name comes first counts.

    Args:
        generations: The manifest's objects by URI.
        lines: The lines of its replay objects.

    Returns:
        Line numbers by reason and URI, in order: a function of its arguments, in whatever order they come.
    """
    void: list[tuple[str, int]] = []
    below: dict[tuple[str, int], list[tuple[str, int]]] = defaultdict(list)
    roots: set[tuple[str, int]] = set()
    for line in lines:
        here = (line.object, line.line)
        if all(generations.get(origin.object) == origin.generation for origin in line.origins):
            origin = line.origins[0]
            below[origin.object, origin.line].append(here)
            roots.add((line.origins[-1].object, line.origins[-1].line))
        else:
            void.append(here)
    replaced = [place for root in roots for place in _replaced(root, below)]
    found = {REPLAYED: _by_object(replaced), OUTDATED: _by_object(void)}
    return {reason: places for reason, places in found.items() if places}


def _replaced(root: tuple[str, int], below: Mapping[tuple[str, int], list[tuple[str, int]]]) -> Iterator[Any]:
    """All lines of a tree but the one at the end of its first branches."""
    last = root
    while last in below:
        last = min(below[last])
    waiting = [root]
    while waiting:
        here = waiting.pop()
        waiting += below.get(here, [])
        if here != last:
            yield here


def _by_object(places: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for uri, line in sorted(set(places)):
        found[uri].append(line)
    return dict(found)
