"""The obvious mistakes in a Spark SQL expression, found without a parser: names, quotes and parentheses.

Spark analyses every expression before it reads data; this finds a misspelt field before anything runs. What
it does not understand it lets pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_TEXT = re.compile(r"(?:\b[rRxX])?'(?:\\.|''|[^'\\])*'|\"(?:\\.|\"\"|[^\"\\])*\"", re.DOTALL)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_LAMBDA = re.compile(r"(\w+)\s*->|\(([\w\s,]+)\)\s*->")
_NAME = re.compile(r"(?<![\w.@$:])([A-Za-z_]\w*(?:\s*\.\s*[A-Za-z_]\w*)*)(?!\w)(?!\s*\(|\s*=>)")
_WORDS = frozenset(
    """
    and or not in is null like rlike ilike regexp between exists true false case when then else end distinct
    as cast try_cast from for to at by on using any some all escape div mod over partition order asc desc
    nulls first last rows range unbounded preceding following current row filter where within group with
    interval leading trailing both similar collate unknown select having limit struct map array
    string varchar char int integer bigint long smallint short tinyint byte float real double decimal dec
    numeric boolean binary date timestamp timestamp_ntz timestamp_ltz void
    year years quarter quarters month months week weeks day days hour hours minute minutes second seconds
    millisecond milliseconds microsecond microseconds nanosecond nanoseconds yearofweek dayofweek
    dayofweek_iso dow doy epoch time zone local utc nan infinity inf
    int64 float64 bool bytes json datetime ordinal offset safe safe_offset ignore respect if
    current_date current_timestamp current_user user localtimestamp pi
    """.split()  # noqa: SIM905 (a hundred quoted words would say less)
)


def unknown_names(expression: str, known: Mapping[str, bool]) -> list[str]:
    """The names in an expression that are neither fields nor words of SQL.

    Args:
        expression: Spark SQL.
        known: Every dotted path that may be used, and whether what lies below it is listed too.
    """
    folded = {path.lower(): listed for path, listed in known.items()}
    text = _COMMENT.sub(" ", _TEXT.sub("''", expression))
    text = re.sub(r"`([A-Za-z_]\w*)`", r"\1", text)
    if "`" in text:
        return []
    own = {
        name.strip().lower() for pair in _LAMBDA.findall(text) for part in pair for name in part.split(",")
    }
    found = [re.sub(r"\s", "", name) for name in _NAME.findall(text)]
    return [n for n in dict.fromkeys(found) if not _resolves(n.lower(), folded, own)]


def _resolves(name: str, known: Mapping[str, bool], own: set[str]) -> bool:
    first = name.split(".", 1)[0]
    if first in own or name in known or ("." not in name and name in _WORDS):
        return True
    parts = name.split(".")
    above = [".".join(parts[:n]) for n in range(1, len(parts))]
    return any(path in known and not known[path] for path in above)


def imbalance(expression: str) -> str | None:
    """What is opened and never closed, or closed and never opened."""
    text = _COMMENT.sub(" ", _TEXT.sub("''", expression))
    if quote := next((q for q in "'\"" if text.replace("''", "").count(q) % 2), None):
        return f"a quote {quote} is not closed"
    depth = 0
    for mark in re.findall(r"[()]", text):
        depth += 1 if mark == "(" else -1
        if depth < 0:
            return "a parenthesis ) closes nothing"
    return "a parenthesis ( is not closed" if depth else None
