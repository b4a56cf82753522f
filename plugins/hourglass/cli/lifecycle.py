"""`lifecycle`: the buckets' lifecycle rules that follow from the sources' retention."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta

from hourglass.config.errors import ConfigError
from hourglass.config.lifecycle import Rule, lifecycle_rules
from hourglass.config.loader import load_sources
from hourglass.config.platform import Platform
from hourglass.config.source import Source

Wanted = tuple[str, Mapping[str, timedelta], bool]


def run(bucket: str | None) -> int:
    """Print the rules as JSON: of one bucket as `gcloud storage buckets update --lifecycle-file` takes them.

    Args:
        bucket: The bucket; None for all, by name.

    Returns:
        The exit status.

    Raises:
        ConfigError: A source file is wrong; rules without it would keep its objects in the wrong class.
    """
    platform = Platform.from_env()
    loaded = load_sources(platform.include)
    if loaded.problems:
        raise ConfigError(loaded.problems)
    rules = bucket_rules(loaded.sources, platform)
    if bucket is not None and bucket not in rules:
        known = ", ".join(sorted(rules)) or "none"
        sys.stderr.write(
            f"no source keeps storage classes in bucket {bucket!r} (those that do: {known}); set "
            "retention.bronze or retention.silver in its YAML\n"
        )
        return 1
    every = {name: {"rule": found} for name, found in sorted(rules.items())}
    shown = every[bucket] if bucket else every
    sys.stdout.write(json.dumps(shown, indent=2) + "\n")
    return 0


def bucket_rules(sources: Iterable[Source], platform: Platform) -> dict[str, list[Rule]]:
    """The rules of every bucket in which a source has storage classes.

    Args:
        sources: The sources.
        platform: The deployment's names.
    """
    wanted: defaultdict[str, list[Wanted]] = defaultdict(list)
    for source in sources:
        retention = source.file.retention
        if retention.bronze:
            bucket, _, prefix = source.location.removeprefix("gs://").partition("/")
            wanted[bucket].append((prefix, retention.bronze.ages(), True))
        if retention.silver:
            ages = retention.silver.ages()
            wanted[platform.lake_bucket] += [
                (f"{layer}/{source.id}/", ages, False) for layer in ("silver", "quarantine")
            ]
    return {bucket: lifecycle_rules(prefixes) for bucket, prefixes in wanted.items()}
