"""Composed YAML nodes to plain values and their places, with nothing of YAML that a configuration needs not.

The values are built here rather than by PyYAML: its constructors know dates, sets and other tags, and leave
what they do not know as errors without a place.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import yaml

Location = tuple[str | int, ...]
Place = tuple[int, int]
Bad = tuple[Place, str]

DEEPEST = 50
MOST = 20_000
_MARKERS = re.compile(rf"(?:[-?:][ \t]+){{{DEEPEST}}}")
_CORE = "tag:yaml.org,2002:"


class _Loader(yaml.CSafeLoader):
    """YAML 1.2 core scalars instead of YAML 1.1's."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        """The tag of a node without one; a word is looked up once, since every source uses the same ones."""
        if kind is yaml.ScalarNode and implicit[0]:
            return _plain_tag(value)
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"{_CORE}{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


@lru_cache(maxsize=4096)
def _plain_tag(text: str) -> str:
    for tag, pattern in _Loader.yaml_implicit_resolvers.get(text[:1], ()):
        if pattern.match(text):
            return str(tag)
    return f"{_CORE}str"


def compose(text: str) -> yaml.Node | None:
    """The root node of a YAML text; None when the text is empty.

    Raises:
        yaml.YAMLError: The text is not YAML.
        RecursionError: It is nested too deeply.
    """
    # The C parser recurses on its own stack: what is nested too deeply must not reach it.
    if _flow_depth(text) > DEEPEST:
        raise RecursionError
    loader = _Loader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
        return node
    finally:
        loader.dispose()


def _flow_depth(text: str) -> int:
    """An upper bound of how deep brackets and markers on one line nest; quotes are not looked at."""
    depth, deepest = 0, DEEPEST + 1 if _MARKERS.search(text) else 0
    for mark in re.findall(r"[\[{\]}]", text):
        depth = depth + 1 if mark in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


class Builder:
    """Builds one document's value and notes where everything is.

    Args:
        values: Filled with the place of every value.
        keys: Filled with the place of every key.
    """

    def __init__(self, values: dict[Location, Place], keys: dict[Location, Place]) -> None:
        self.values = values
        self.keys = keys
        self.bad: list[Bad] = []
        self._count = 0

    def build(self, node: yaml.Node, location: Location = ()) -> Any:
        """The plain value of a node.

        Raises:
            RecursionError: The nodes nest too deeply.
        """
        place = _place(node)
        self.values[location] = place
        if len(location) > DEEPEST:
            raise RecursionError
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        self._count += 1
        if self._count > MOST:
            raise ValueError(f"it has more than {MOST} lists and mappings once its aliases are written out")
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, place, "seq")
            return [self.build(item, (*location, index)) for index, item in enumerate(node.value)]
        self._check_tag(node, place, "map")
        return self._mapping(node, location)

    def _mapping(self, node: yaml.Node, location: Location) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            place = _place(key)
            if not isinstance(key, yaml.ScalarNode):
                self.bad.append((place, "a list or a mapping cannot be a key; write a name"))
                continue
            here = (*location, key.value)
            if here in self.keys:
                first = self.keys[here][0]
                self.bad.append(
                    (place, f"key {key.value!r} stands here a second time (first on line {first}); keep one")
                )
                continue
            self.keys[here] = place
            mapping[key.value] = self.build(value, here)
        return mapping

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> Any:
        text, kind = str(node.value), str(node.tag).removeprefix(_CORE)
        try:
            return _SCALARS[kind](text)
        except (KeyError, ValueError):
            self.bad.append((place, f"{text[:40]!r} cannot be read as {kind}; leave out the tag or quote it"))
            return None

    def _check_tag(self, node: yaml.Node, place: Place, expected: str) -> None:
        if node.tag != f"{_CORE}{expected}":
            self.bad.append((place, f"tag {node.tag} is not allowed here; leave it out"))


_SCALARS: dict[str, Any] = {
    "str": str,
    "null": lambda text: None,
    "bool": lambda text: {"true": True, "false": False}[text.lower()],
    "int": int,
    "float": float,
}


def _place(node: yaml.Node) -> Place:
    return (node.start_mark.line + 1, node.start_mark.column + 1)
