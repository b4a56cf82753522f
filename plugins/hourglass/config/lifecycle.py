"""Storage classes by age, as lifecycle rules of the buckets. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

CLASSES = ("standard", "nearline", "coldline", "archive")
Rule = dict[str, Any]


def class_changes(ages: Mapping[str, timedelta]) -> list[tuple[int, str]]:
    """The days at which an object changes its class.

    Args:
        ages: Until which age an object stays in each class, the warmest first.

    Returns:
        Pairs of an age in days and the class from then on, or `delete` after the last.
    """
    ordered = [(name, ages[name]) for name in CLASSES if name in ages]
    following = [name.upper() for name, _ in ordered[1:]] + ["delete"]
    return [(age.days, then) for (_, age), then in zip(ordered, following, strict=True)]


def lifecycle_rules(wanted: Iterable[tuple[str, Mapping[str, timedelta], bool]]) -> list[Rule]:
    """The rules of one bucket, one for each change and age, whatever the number of sources.

    Args:
        wanted: For each prefix: the prefix, the ages of its classes, and whether objects may be deleted after
            the last. Iceberg's data files may not: a table that lost a file behind its back cannot be read.

    Returns:
        Rules as the storage API takes them, in a fixed order.
    """
    prefixes: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for prefix, ages, may_delete in wanted:
        for change in class_changes(ages):
            if may_delete or change[1] != "delete":
                prefixes[change].append(prefix)
    return [_rule(age, then, sorted(found)) for (age, then), found in sorted(prefixes.items())]


def _rule(age: int, then: str, prefixes: list[str]) -> Rule:
    action = {"type": "Delete"} if then == "delete" else {"type": "SetStorageClass", "storageClass": then}
    return {"action": action, "condition": {"age": age, "matchesPrefix": prefixes}}
