"""Where a partition's objects lie below the source's location."""

from __future__ import annotations

import re

from hourglass.partition import Grain, Partition

# One token for each part of the clock; every other character stands for itself.
TOKENS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "hh": "%H"}
ALIASES = {
    "hive": {Grain.HOUR: "year=YYYY/month=MM/day=DD/hour=hh/", Grain.DAY: "year=YYYY/month=MM/day=DD/"},
    "plain": {Grain.HOUR: "YYYY/MM/DD/hh/", Grain.DAY: "YYYY/MM/DD/"},
}
_TOKEN = re.compile("|".join(TOKENS))


def resolve(template: str, grain: Grain) -> str:
    """Replace an alias by its template and check that it can tell the partitions apart.

    Raises:
        ValueError: A token that the grain needs is missing, or the template is no folder below the location.
    """
    template = ALIASES.get(template, {}).get(grain, template)
    needed = ["YYYY", "MM", "DD"] + (["hh"] if grain is Grain.HOUR else [])
    present = _TOKEN.findall(template)
    missing = [token for token in needed if token not in present]
    if missing:
        raise ValueError(
            f"path_template {template!r} cannot tell one {grain} from the next: it lacks {', '.join(missing)}"
            f"; write hive, plain, or a path with {', '.join(needed)}"
        )
    if grain is Grain.DAY and "hh" in present:
        raise ValueError(f"path_template {template!r} has hh, but the schedule is daily; leave it out")
    if template.startswith("/"):
        raise ValueError(f"path_template {template!r} begins with /, as the location ends; leave it out")
    if not template.endswith("/"):
        raise ValueError(f"path_template {template!r} must end with / so that it names a folder")
    return template


def render(template: str, partition: Partition) -> str:
    """The path of one partition, below the location."""
    return _TOKEN.sub(lambda token: partition.start.strftime(TOKENS[token[0]]), template)
