"""Where a partition's objects lie below the source's location."""

from __future__ import annotations

import re

from hourglass.partition import Grain, Partition

# One token for each part of the clock; every other character stands for itself. `mm` is one only where
# partitions are shorter than an hour, since it also occurs in words.
TOKENS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "hh": "%H", "mm": "%M"}
TABLE = "{table}"
_ALIASES = {
    "hive": ("year=YYYY/month=MM/day=DD/", "hour=hh/", "minute=mm/"),
    "plain": ("YYYY/MM/DD/", "hh/", "mm/"),
}


def _needed(grain: Grain) -> int:
    """How many parts of an alias tell the grain's partitions apart."""
    return 3 if grain.shares_hour else 1 if grain.once_a_day else 2


def _tokens(grain: Grain) -> list[str]:
    return list(TOKENS) if grain.shares_hour else ["YYYY", "MM", "DD", "hh"]


def _pattern(grain: Grain) -> re.Pattern[str]:
    return re.compile("|".join(_tokens(grain)))


def resolve(template: str, grain: Grain) -> str:
    """Replace an alias by its template and check that it can tell the partitions apart.

    Args:
        template: `hive`, `plain`, one of these behind `{table}/`, or a path of tokens.
        grain: The grain of the source.

    Raises:
        ValueError: A token that the grain needs is missing, or the template is no folder below the location.
    """
    folder, _, last = template.rpartition("/")
    if last in _ALIASES and folder in ("", TABLE):
        template = "".join(([f"{folder}/"] if folder else []) + list(_ALIASES[last][: _needed(grain)]))
    needed = ["YYYY", "MM", "DD", "hh", "mm"][: _needed(grain) + 2]
    present = _pattern(grain).findall(template)
    missing = [token for token in needed if token not in present]
    if missing:
        raise ValueError(
            f"path_template {template!r} cannot tell one partition from the next: it lacks {', '.join(missing)}"
            f"; write hive, plain, or a path with {', '.join(needed)}"
        )
    if grain == Grain.DAY and "hh" in present:
        raise ValueError(f"path_template {template!r} has hh, but the schedule is daily; leave it out")
    if template.startswith("/"):
        raise ValueError(f"path_template {template!r} begins with /, as the location ends; leave it out")
    if not template.endswith("/"):
        raise ValueError(f"path_template {template!r} must end with / so that it names a folder")
    return template


def render(template: str, partition: Partition, table: str = "") -> str:
    """The path of one partition, below the location.

    Args:
        template: A template that `resolve` returned.
        partition: The partition.
        table: What stands for `{table}`.
    """
    path = _pattern(partition.grain).sub(lambda token: partition.start.strftime(TOKENS[token[0]]), template)
    return path.replace(TABLE, table)
