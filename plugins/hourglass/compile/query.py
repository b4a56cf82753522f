"""A query as a chain of named steps that a person can read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hourglass.compile.columns import Column


@dataclass(frozen=True)
class Step:
    """One common table expression.

    Args:
        name: Its name.
        sql: Its SELECT, without indentation.
        comment: Why it is there; lines without `--`.
    """

    name: str
    sql: str
    comment: str = ""

    @property
    def remark(self) -> str:
        """The comment as SQL."""
        return "".join(f"-- {line}\n" for line in self.comment.splitlines())

    @property
    def text(self) -> str:
        """The step as it stands in a WITH clause."""
        body = "\n".join(f"    {line}" if line else "" for line in self.sql.splitlines())
        return f"{self.remark}{self.name} as (\n{body}\n)"


@dataclass(frozen=True)
class Query:
    """What has been built so far: rows, their columns, and how they are told apart.

    Args:
        steps: The common table expressions.
        rows: The name of the one that holds the rows.
        columns: The rows' columns by the path that YAML knows them by; `expression` reads them from `rows`.
        unique: The names of the columns that tell rows apart; empty when nothing does.
        date: The column that holds the event date, when every row depends on rows of its own date alone.
        grain: What one row is.
        final: The last SELECT; None when it is the rows' own columns.
    """

    steps: tuple[Step, ...]
    rows: str
    columns: dict[str, Column] = field(default_factory=dict)
    unique: tuple[str, ...] = ()
    date: str | None = None
    grain: str = ""

    def then(self, *steps: Step) -> Query:
        """The query with more steps, the last of which holds the rows."""
        return replace(self, steps=(*self.steps, *steps), rows=steps[-1].name)

    def names(self) -> set[str]:
        """The names that rows have already, in lower case: BigQuery ignores case."""
        return {path.split(".", 1)[0].lower() for path in self.columns} | {
            c.name.lower() for c in self.columns.values()
        }
