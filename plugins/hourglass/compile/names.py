"""Names in BigQuery's SQL: what must be quoted, and how a line of SQL breaks."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
# BigQuery's reserved words.
_RESERVED = frozenset(
    """
    all and any array as asc assert_rows_modified at between by case cast collate contains create cross cube
    current default define desc distinct else end enum escape except exclude exists extract false fetch
    following for from full group grouping groups hash having if ignore in inner intersect interval into is
    join lateral left like limit lookup merge natural new no not null nulls of on or order outer over
    partition preceding proto qualify range recursive respect right rollup rows select set some struct
    tablesample then to treat true unbounded union unnest using when where window with within
    """.split()  # noqa: SIM905 (a hundred quoted words would say less)
)


def quoted(name: str) -> str:
    """A column's name as SQL can read it."""
    return f"`{name}`" if needs_quotes(name) else name


def needs_quotes(name: str) -> bool:
    """Whether a column's name is more than plain lower-case letters, or a word of SQL."""
    return name in _RESERVED or _PLAIN.fullmatch(name) is None


def alias(name: str) -> str:
    """A name behind `as`, where linters are wary of any word of SQL: all of one short word are quoted."""
    return quoted(name) if "_" in name or needs_quotes(name) else f"`{name}`"


def dotted(path: str) -> str:
    """A dotted path as SQL can read it."""
    return ".".join(quoted(part) for part in path.split("."))


def listed(items: Iterable[str], indent: int = 4) -> str:
    """Items of a select list, one a line."""
    return ",\n".join(" " * indent + item for item in items)
