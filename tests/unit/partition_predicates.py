"""Which tables a compiled query reads without bounding their partitions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_READ = re.compile(r"\b(?:from|join)\s+`[\w-]+`\.`(\w+)`\.`(\w+)`", re.IGNORECASE)
_SETS = re.compile(r"\bunion\s+all\b|\bexcept\s+distinct\b|\bunion\s+distinct\b", re.IGNORECASE)
EVERY_DATE = "1970_01_01"  # the literal of `event_dates_predicate(none)`, as `plain` writes it


def unbounded(sql: str, partitioned: Mapping[tuple[str, str], set[str]]) -> list[str]:
    """The tables that a query reads in full though a predicate could select partitions.

    Args:
        sql: A compiled query.
        partitioned: The columns by any of which a table's partitions can be selected, by dataset and table.
    """
    found = []
    for select in selects(plain(sql)):
        for read in _READ.finditer(select):
            columns = partitioned.get((read[1], read[2]))
            if columns and not _bounds(select, columns):
                found.append(f"{read[1]}.{read[2]}")
    return found


def plain(sql: str) -> str:
    """The query without comments, and with a word for each text: no parenthesis of theirs counts."""
    return _QUOTED.sub(lambda m: re.sub(r"\W", "_", m[0]) if m[0][0] == "'" else " ", sql)


def selects(sql: str) -> Iterator[str]:
    """The text of every select of a query, without those nested in it."""
    open_, scopes = [""], []
    for character in sql:
        if character == "(":
            open_.append("")
        elif character == ")":
            nested = open_.pop()
            scopes.append(nested)
            # A list of constants belongs to its predicate.
            open_[-1] += " (nested) " if re.search(r"\bselect\b", nested, re.IGNORECASE) else f"({nested})"
        else:
            open_[-1] += character
    for scope in (*scopes, *open_):
        yield from _SETS.split(scope)


def _bounds(select: str, columns: set[str]) -> bool:
    where = re.split(r"\bwhere\b", select, maxsplit=1, flags=re.IGNORECASE)
    if len(where) == 1:
        return False
    names = "|".join(columns)
    predicates = re.findall(
        rf"\b(?:{names})\b`?\s*(in\s*\([^)]*\)|(?:=|>=|>|between)\s*[^\n]+)", where[1], re.IGNORECASE
    )
    return any(EVERY_DATE not in predicate for predicate in predicates)
