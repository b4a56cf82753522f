"""Repairs of quarantined lines: SQL expressions over a line's values, evaluated in memory by SQLite. Pure.

SQLite because it is everywhere where Python is, reads no file here, and gives the same result on every machine, so
that the same repair of the same lines is the same object.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing

Value = str | int | float | None
LINE = "line"
FUNCTIONS = frozenset({
    "abs", "char", "coalesce", "concat", "concat_ws", "date", "datetime", "format", "glob", "hex", "ifnull", "iif",
    "instr", "json", "json_array", "json_extract", "json_object", "json_remove", "json_set", "json_valid",
    "julianday", "length", "like", "lower", "ltrim", "max", "min", "nullif", "printf", "regexp_extract",
    "regexp_replace", "replace", "round", "rtrim", "strftime", "substr", "substring", "trim", "typeof", "unicode",
    "upper",
})  # fmt: skip
_TOKEN = re.compile(r"""'(?:[^']|'')*'|`[^`]*`|"(?:[^"]|"")*\"""")
_LONGEST = 2**63


class RepairError(ValueError):
    """A repair that cannot be done; the message says which, why, and what to write."""


def evaluate(
    rows: Sequence[Mapping[str, Value]], expressions: Mapping[str, str], names: Iterable[str]
) -> list[tuple[Value, ...]]:
    """Evaluate expressions for every row.

    Args:
        rows: The values of each row by name; a name may be missing, which is NULL.
        expressions: SQL by what it is for (`--set amount`): texts in single or double quotes, names that are
            not plain words in backticks.
        names: The names that an expression may use; SQLite ignores their case, the first of two counts.

    Returns:
        The expressions' values for each row, in order.

    Raises:
        RepairError: An expression is wrong.
    """
    columns = list({name.lower(): name for name in reversed([*names])}.values())[::-1] or ["nothing"]
    with closing(sqlite3.connect(":memory:")) as base:
        base.create_function("regexp_replace", 3, _replace, deterministic=True)
        base.create_function("regexp_extract", 2, _extract, deterministic=True)
        quoted = ", ".join(_quoted(name) for name in columns)
        base.execute(f"CREATE TABLE the_lines ({quoted})")
        places = ", ".join("?" * len(columns))
        values = [tuple(_bound(row.get(name)) for name in columns) for row in rows]
        base.executemany(f"INSERT INTO the_lines VALUES ({places})", values)  # noqa: S608 (only placeholders)
        base.set_authorizer(_allowed)
        for label, text in expressions.items():
            _check(base, label, text, columns)
        selected = ", ".join(f"(\n{_sql(text)}\n)" for text in expressions.values())
        try:
            # The person who repairs writes the expressions; the authorizer lets them compute and nothing else.
            return base.execute(f"SELECT {selected} FROM the_lines ORDER BY rowid").fetchall()  # noqa: S608
        except (sqlite3.Error, re.error) as error:
            raise RepairError(f"{', '.join(expressions)}: {error}; correct the expression") from None


def _check(base: sqlite3.Connection, label: str, text: str, columns: Sequence[str]) -> None:
    try:
        base.execute(f"EXPLAIN SELECT (\n{_sql(text)}\n) FROM the_lines")  # noqa: S608 (see above)
    except sqlite3.Error as error:
        advice = "write an SQL expression of SQLite's"
        if "no such column" in str(error):
            advice = f"the lines have {', '.join(columns[:40])}"
        elif "not authorized" in str(error) or "no such function" in str(error):
            advice = f"functions that a repair may use: {', '.join(sorted(FUNCTIONS))}"
        raise RepairError(f"{label}: {error}, in {text!r}; {advice}") from None


def _allowed(action: int, first: str | None, second: str | None, *_others: str | None) -> int:
    fine = (
        action == sqlite3.SQLITE_SELECT
        or (action == sqlite3.SQLITE_READ and first == "the_lines")
        or (action == sqlite3.SQLITE_FUNCTION and str(second).lower() in FUNCTIONS)
    )
    return sqlite3.SQLITE_OK if fine else sqlite3.SQLITE_DENY


def _sql(text: str) -> str:
    """The expression with texts in double quotes as SQLite wants them, where a misspelt name would become a text."""
    return _TOKEN.sub(_single, text)


def _single(found: re.Match[str]) -> str:
    token = found[0]
    if not token.startswith('"'):
        return token
    inner = token[1:-1].replace('""', '"').replace("'", "''")
    return f"'{inner}'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _bound(value: Value) -> Value:
    if isinstance(value, int) and not -_LONGEST <= value < _LONGEST:
        return str(value)
    return value


def _replace(text: Value, pattern: str, replacement: str) -> str | None:
    return None if text is None else re.sub(pattern, replacement, str(text))


def _extract(text: Value, pattern: str) -> str | None:
    found = re.search(pattern, str(text)) if text is not None else None
    if found is None:
        return None
    return found[1] if found.re.groups else found[0]
