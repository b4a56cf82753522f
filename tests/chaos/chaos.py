"""A chaos run: the warm Airflow, the fault proxy and the compiled sources, and the summary of what was done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local.cloud import Cloud
from tests.chaos.state import World
from tests.chaos.warm import WarmAirflow
from tests.chaos.world import VERSIONS, write_include
from tests.faults.proxy import FaultProxy


@contextmanager
def chaos(cloud: Cloud, folder: Path, say: Callable[[str], None]) -> Iterator[World]:
    """Make everything ready in a running cloud, whose variables are in os.environ.

    Args:
        cloud: The local cloud.
        folder: An empty folder for the include folders and Airflow's log.
        say: Takes each line meant for a person.
    """
    cloud.airflow.prepare(cloud.environment())
    includes = {version: write_include(folder / version / "include", version) for version in VERSIONS}
    environment = {**os.environ, "HOURGLASS_INCLUDE": str(includes[VERSIONS[0]])}
    with WarmAirflow(environment, folder / "airflow.log") as airflow, FaultProxy({**os.environ}) as proxy:
        for include in includes.values():
            mine = {"HOURGLASS_INCLUDE": str(include)}
            airflow.call("tests.chaos.world:compile_include", mine, folder=str(include))
        yield World(airflow, proxy, includes, cloud.layout.cloud, say)


def report(world: World) -> str:
    """What was done, how often."""
    return "\n".join(f"{number:6} {what}" for what, number in sorted(world.done.items()))
