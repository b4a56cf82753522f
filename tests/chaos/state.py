"""What the sequences share, a partition as the model has it, and its comparison with what is in the cloud."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos import observe
from tests.chaos.observe import Found, ViolationError
from tests.chaos.oracle import Outcome, expect
from tests.chaos.warm import WarmAirflow
from tests.chaos.world import Partition
from tests.faults.proxy import FaultProxy


@dataclass
class State:
    """A partition as the model has it."""

    partition: Partition
    ran: bool = False
    published: Outcome | None = None
    # What may have been published since the last settling: the files at each moment.
    seen: list[dict[str, bytes]] = field(default_factory=list)
    unsure: bool = False

    def remember(self) -> None:
        """Note the files as they are now."""
        self.seen.append(dict(self.partition.files))


@dataclass
class World:
    """What all sequences of a run share.

    Args:
        airflow: The warm Airflow.
        proxy: The proxy that all calls speak through.
        includes: The include folders by schema version.
        cloud: The folder of the local cloud.
        say: Takes each line meant for a person.
    """

    airflow: WarmAirflow
    proxy: FaultProxy
    includes: Mapping[str, Path]
    cloud: Path
    say: Callable[[str], None]
    states: list[State] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)


def compare_partition(state: State, found: Found, newest: str, versions: set[str]) -> None:
    """Compare a partition with the oracle, and note what it has published.

    Args:
        state: The partition.
        found: What was found in the cloud.
        newest: The schema's newest version.
        versions: All versions that it had.

    Raises:
        ViolationError: A law is broken.
    """
    partition = state.partition
    row = found.ledger.get(partition.start)
    if not state.ran:
        if row is not None:
            raise ViolationError(f"{partition.key} was never run and is in the ledger")
        return
    version = (row or {}).get("schema_version") or newest
    if version not in versions:
        raise ViolationError(f"{partition.key} was refined by version {version} of the schema")
    outcome = expect(partition, version)
    observe.compare_ledger(partition, outcome, row)
    if outcome.stopped or not partition.files:
        _compare_unpublished(state, found, versions)
    else:
        state.published, state.unsure = outcome, False
    if not state.unsure:
        observe.compare_silver(partition, state.published, found)
        observe.compare_features(partition, state.published, found)
    state.seen = [dict(partition.files)]


def _compare_unpublished(state: State, found: Found, versions: set[str]) -> None:
    """What was published before stays; it may be younger than the last settling."""
    replays = state.partition.replays
    earlier = [
        Partition(state.partition.start, files, {n: o for n, o in replays.items() if n in files})
        for files in state.seen
    ]
    options = [state.published, *(expect(p, v) for p in earlier for v in sorted(versions))]
    for option in options:
        try:
            observe.compare_silver(state.partition, option, found)
        except ViolationError:
            continue
        state.unsure = state.unsure or option is not state.published
        state.published = option
        return
    raise ViolationError(
        f"{state.partition.key} was stopped at the gate, and is not as it was published before"
    )
