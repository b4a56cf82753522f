"""`features migrate`: the families of the feature store as the sources declare them."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING

from hourglass.cloud import bigtable
from hourglass.cloud.pushes import forget_set
from hourglass.config.errors import ConfigError
from hourglass.config.loader import load_sources
from hourglass.config.platform import Platform
from hourglass.config.warehouse import has_warehouse, load_warehouse

if TYPE_CHECKING:
    from hourglass.cloud.bigtable import Change
    from hourglass.config.serving import FeatureSet


def migrate(*, apply: bool, allow_loss: bool) -> int:
    """Say what must change in the features' table, and change it.

    Args:
        apply: Make the changes.
        allow_loss: Also those that remove features.

    Returns:
        The exit status: 1 when something is left to change.

    Raises:
        ConfigError: A source file is wrong; its families would be taken for ones that nobody has.
    """
    from google.cloud.bigtable import Client

    platform = Platform.from_env()
    sets = _sets(platform)
    if sets is None:
        return 1
    client = Client(project=platform.project, admin=True)
    table = bigtable.features_table(client.instance(platform.bigtable_instance))
    left = 0
    for change in bigtable.changes(table, bigtable.declared(sets)):
        made = apply and (allow_loss or not change.loses)
        left += not made
        sys.stdout.write(f"{'made' if made else 'to make'}: {_words(change)}\n")
        if made:
            bigtable.apply(table, change)
            if change.loses:
                _forget(platform, change)
    if left:
        option = "--apply --allow-loss" if apply else "--apply"
        sys.stdout.write(f"{left} left; make them by `python -m hourglass features migrate {option}`\n")
    return int(left > 0)


def _sets(platform: Platform) -> list[FeatureSet] | None:
    loaded = load_sources(platform.include)
    if loaded.problems:
        raise ConfigError(loaded.problems)
    sets = [s for source in loaded.sources for s in source.file.serving.feature_sets]
    if has_warehouse(platform.include):
        sets += load_warehouse(platform.include).feature_sets
    twice = [name for name, times in Counter(s.name for s in sets).items() if times > 1]
    if twice:
        sys.stderr.write(
            f"{', '.join(twice)}: two sources push the same set, so each would overwrite the other's rows; "
            "rename one of them in serving.feature_sets, and its SQL file\n"
        )
        return None
    return sets


def _words(change: Change) -> str:
    loses = ", which removes its features" if change.loses else ""
    keeps = f" with {change.versions} versions of a cell" if change.versions else ""
    return f"{change.action} family {change.family}{keeps}, because {change.reason}{loses}"


def _forget(platform: Platform, change: Change) -> None:
    from google.cloud.storage import Client

    storage = Client(project=platform.project)
    for source, partitions in forget_set(storage, platform.ops_bucket, change.family).items():
        if change.action == "rebuild":
            sys.stdout.write(
                f"  push again: clear serve.push_{change.family} of {source} for {len(partitions)} partitions, "
                f"{partitions[0]} to {partitions[-1]}\n"
            )
