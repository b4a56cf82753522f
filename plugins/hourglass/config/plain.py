"""Reading plain values of any shape: what a file says, whether or not it is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hourglass.config.document import Location

STEPS: Location = ("processing", "bronze_to_silver")
GOLD_STEPS: Location = ("processing", "silver_to_gold")


def dig(data: Any, location: Location) -> Any:
    """The value at a path, or None where the file has another shape."""
    for step in location:
        if not isinstance(data, dict) or not isinstance(step, str):
            return None
        data = data.get(step)
    return data


def items(value: Any) -> Iterator[tuple[int, Any]]:
    """The items of a list with their numbers; none where there is no list."""
    return iter(enumerate(value)) if isinstance(value, list) else iter(())


def enrichments(data: Any) -> Iterator[tuple[Location, dict[str, Any]]]:
    """Every enrichment as written, with its place."""
    for number, step in items(dig(data, STEPS)):
        for index, item in items(dig(step, ("enrichment",))):
            if isinstance(item, dict):
                yield (*STEPS, number, "enrichment", index), item
