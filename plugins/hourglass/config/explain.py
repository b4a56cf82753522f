"""Pydantic's errors in the words of a person who writes YAML."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from hourglass.config.document import Document, Location
from hourglass.config.errors import Problem, did_you_mean
from hourglass.config.patterns import PATTERNS

_EXPECTED = {
    "string_type": "text",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "date_type": "a date such as 2021-07-21",
}
# The values of a union's branches, as pydantic puts them behind the place.
_BRANCHES = {"str": "text", "int": "a number", "float": "a number", "bool": "true or false"}
_PATTERNS = {
    "source_id": "write lower-case letters, digits and _, beginning with a letter, at most 30",
    "location": "write gs://bucket/prefix/ with a / at the end",
    "destination": "write gs://bucket/prefix/ with a / at the end",
    "dead_letter": "write gs://bucket/prefix/ with a / at the end",
    "webhook_path": "write a path such as /stripe",
    "tables": "write a table's name, such as orders or public.orders",
    "source_bucket": "write the bucket's name alone, such as partner-exports",
    "source_path": "write the prefix without a / in front, such as exports/orders/",
    "pubsub_topic": "write the topic's name, or projects/PROJECT/topics/NAME",
    "source_table": "write dataset.events_ or project.dataset.events_, as the daily tables begin",
    "table": "write gold.NAME, silver.NAME, or in a join a seed's name",
    "slack": 'write a channel in quotes, such as "#data-alerts"',
    "version": "write numbers such as 1.0 or 1.2.3",
    "name": "write letters, digits and _, beginning with a letter or _",
}
_INGESTION_KEYS = frozenset(key for pattern in PATTERNS.values() for key in pattern.model_fields)


def problems_of(
    error: ValidationError,
    document: Document,
    model: type[BaseModel],
    reference: Callable[[Location], str | None],
) -> Iterator[tuple[Location, Problem]]:
    """Every error as a place and a mistake there.

    Args:
        error: What the model says.
        document: The file it was given.
        model: The model.
        reference: The part of the reference that describes a place.
    """
    branches: dict[Location, list[str]] = {}
    for one in (plain for raw in error.errors() for plain in _plain(raw)):
        location: Location = tuple(one["loc"])
        if location and location[-1] in _BRANCHES and not _exists(document.data, location):
            branches.setdefault(location[:-1], []).append(_BRANCHES[str(location[-1])])
            continue
        if key := one.get("ctx", {}).get("key"):
            location = (*location, key)
        message, at_key = _message(one, location, model)
        # A key that is missing has no place: the mapping that lacks it has, by its own key.
        place = location[:-1] if one["type"] == "missing" else location
        at_key = at_key or one["type"] == "missing"
        yield location, document.problem(place, message, at_key=at_key, reference=reference(location))
    for location, kinds in branches.items():
        found = kind_of(_value(document.data, location))
        message = f"expected {' or '.join(dict.fromkeys(kinds))}, found {found}"
        yield location, document.problem(location, message, reference=reference(location))


def kind_of(value: Any) -> str:
    """What a value is, in a word or two."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"{str(value).lower()}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else f"the number {value}"


def _message(error: dict[str, Any], location: Location, model: type[BaseModel]) -> tuple[str, bool]:
    kind, context, value = error["type"], error.get("ctx", {}), error.get("input")
    if kind == "extra_forbidden" and (owners := _owners(location)):
        return f"key {location[-1]!r} belongs to {owners}, not to {error['pattern']}; leave it out", True
    if kind == "extra_forbidden":
        hint = did_you_mean(str(location[-1]), _siblings(model, location))
        return f"unknown key {location[-1]!r}{hint}", True
    if kind == "missing":
        where = f" in {_dotted(location[:-1])}" if location[:-1] else ""
        return f"key {location[-1]!r} is missing{where}; add it", True
    return _of_value(kind, context, value, location, str(error["msg"])), False


def _of_value(kind: str, context: dict[str, Any], value: Any, location: Location, said: str) -> str:
    if kind == "literal_error":
        choices = _choices(context)
        if isinstance(value, str):
            return f"{value!r} is not allowed here{did_you_mean(value, choices)}"
        return f"{kind_of(value)} is not allowed here; allowed: {', '.join(choices)}"
    if kind in _EXPECTED:
        quote = "; put it into quotes" if kind == "string_type" and not isinstance(value, dict | list) else ""
        return f"expected {_EXPECTED[kind]}, found {kind_of(value)}{quote}"
    if kind == "string_pattern_mismatch":
        return f"{value!r} is not allowed here; {_PATTERNS.get(_name(location), _PATTERNS['name'])}"
    message = said.removeprefix("Value error, ")
    return message if kind in ("value_error", "misplaced") else message[0].lower() + message[1:]


def _name(location: Location) -> str:
    return next((step for step in reversed(location) if isinstance(step, str)), "")


def _owners(location: Location) -> str:
    """The patterns that have a key which this one has not; empty for a key that none has."""
    if len(location) != 2 or location[0] != "ingestion":
        return ""
    return " and ".join(name for name, pattern in PATTERNS.items() if location[1] in pattern.model_fields)


def _plain(error: Any) -> Iterator[dict[str, Any]]:
    """An error as if `ingestion` were one model and not a choice of one for each pattern."""
    location, context = tuple(error["loc"]), error.get("ctx", {})
    if error["type"] == "union_tag_not_found":
        yield {**error, "type": "missing", "loc": (*location, "pattern")}
        for key in error["input"].keys() - _INGESTION_KEYS:
            yield {**error, "type": "extra_forbidden", "loc": (*location, key)}
    elif error["type"] == "union_tag_invalid":
        known = {"expected": context["expected_tags"]}
        value = error["input"]["pattern"]
        yield {**error, "type": "literal_error", "loc": (*location, "pattern"), "ctx": known, "input": value}
    elif location[:1] == ("ingestion",) and len(location) > 1 and location[1] in PATTERNS:
        yield {**error, "loc": (location[0], *location[2:]), "pattern": location[1]}
    else:
        yield {**error}


def _dotted(location: Location) -> str:
    return "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in location).lstrip(".")


def _exists(data: Any, location: Location) -> bool:
    return _value(data, location) is not None


def _value(data: Any, location: Location) -> Any:
    for step in location:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _choices(context: dict[str, Any]) -> list[str]:
    return [part.strip().strip("'") for part in context["expected"].replace(" or ", ", ").split(",")]


def _siblings(model: type[BaseModel], location: Location) -> list[str]:
    """The keys allowed where an unknown one was found."""
    schema = model.model_json_schema(by_alias=True)
    node: dict[str, Any] = _resolved(schema, schema)
    if location[:1] == ("ingestion",) and len(location) == 2:
        return list(_INGESTION_KEYS)
    for step in location[:-1]:
        node = node.get("items", {}) if isinstance(step, int) else node.get("properties", {}).get(step, {})
        node = _resolved(schema, node)
    return list(node.get("properties", {}))


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    for option in node.get("anyOf", [node]):
        if "$ref" in option:
            target: dict[str, Any] = schema["$defs"][option["$ref"].rsplit("/", 1)[-1]]
            return target
        if option.get("type") in ("object", "array"):
            return dict(option)
    return node
