"""Query jobs: what the clients read from a finished job, and statements local-bigquery does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlglot
from local_bigquery.api import jobs as api_jobs
from local_bigquery.jobs import query
from local_bigquery.sql import script
from sqlglot import exp

CTAS = "CREATE_TABLE_AS_SELECT"


def ctas_destination(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Report the created table as the job's destination, as BigQuery does; dbt reads it."""

    def run(*args: Any, **kwargs: Any) -> Any:
        statistics, children, destination = execute(*args, **kwargs)
        if destination is None and statistics.statementType == CTAS:
            destination = statistics.ddlTargetTable
        return statistics, children, destination

    return run


def ctas_results(results: Callable[..., Any]) -> Callable[..., Any]:
    """Return no rows for CREATE TABLE AS SELECT, although its job has a destination."""

    def run(job: Any, *args: Any) -> Any:
        configuration, statistics = job.configuration.query, job.statistics and job.statistics.query
        if configuration is not None and statistics is not None and statistics.statementType == CTAS:
            bare = job.configuration.replace(query=configuration.without("destinationTable"))
            job = job.replace(configuration=bare)
        return results(job, *args)

    return run


def struct_parts(item: exp.Expression) -> list[tuple[exp.Expression, exp.Expression]] | None:
    """Split `SET (a, b) = (SELECT AS STRUCT x, y …)` into one assignment for each variable.

    Args:
        item: one assignment of a SET statement.

    Returns:
        Pairs of target and single-column query, or None when it is another kind of assignment.
    """
    target, value = item.this.this, item.this.expression
    if isinstance(target, exp.Tuple):
        targets = target.expressions
    elif isinstance(target, exp.Paren):
        targets = [target.this]
    else:
        return None
    select = value.find(exp.Select) if isinstance(value, exp.Subquery | exp.Paren) else None
    if select is None or len(select.expressions) != len(targets):
        return None
    parts = []
    for index, name in enumerate(targets):
        part = value.copy()
        chosen = part.find(exp.Select)
        chosen.set("kind", None)
        chosen.set("expressions", [chosen.expressions[index].copy()])
        parts.append((name, part))
    return parts


def struct_set(set_statement: Callable[..., None]) -> Callable[..., None]:
    """Run `SET (a, b) = (SELECT AS STRUCT …)`, which dbt's insert_overwrite writes."""

    def run(self: Any, statement: Any) -> None:
        tree = sqlglot.parse_one(statement.text, dialect=script.BigQueryDialect)
        parts = struct_parts(tree.expressions[0]) if len(tree.expressions) == 1 else None
        if parts is None:
            set_statement(self, statement)
            return
        for table, value in [(self.variable(name.name), value) for name, value in parts]:
            self.assign(table, value)

    return run


def apply() -> None:
    """Install the query repairs."""
    query.execute = ctas_destination(query.execute)
    api_jobs.results = ctas_results(api_jobs.results)
    script.Interpreter.set = struct_set(script.Interpreter.set)
