"""Tables that require a partition filter: which statements BigQuery lets through and which it refuses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import sqlglot
from local_bigquery.api import tables as api_tables
from local_bigquery.catalog import metadata, names, tables
from local_bigquery.errors import BigQueryError
from local_bigquery.jobs import merge, query
from local_bigquery.models import Table
from local_bigquery.sql.dialect import BigQueryDialect
from local_bigquery.sql.rules import tables as rules
from sqlglot import exp

from local.bigquery.partitions import Reference

REFUSAL = "Cannot query over table"
filtered_merge: ContextVar[Reference | None] = ContextVar("filtered_merge", default=None)
"""The target of the MERGE being run, when its own clauses filter the partitions."""
defining_view: ContextVar[bool] = ContextVar("defining_view", default=False)
"""Whether the statement being read defines a view, which needs no filter before it is queried."""


def partition_columns(table: Table) -> set[str]:
    """Return the names that count as a filter on a table's partitions, in lower case.

    Args:
        table: the stored resource of the table.
    """
    partitioning = table.timePartitioning or table.rangePartitioning
    field = (partitioning and partitioning.field) or tables.INGESTION_TIME
    return {field.casefold(), "_partitiondate"}


def mentions(nodes: Iterator[exp.Expression | None], columns: set[str]) -> bool:
    """Tell whether any of the conditions uses one of the columns."""
    return any(
        column.name.casefold() in columns
        for node in nodes
        if node is not None
        for column in node.find_all(exp.Column)
    )


def filters(tree: exp.Expression) -> Iterator[exp.Expression | None]:
    """Yield every condition of a statement that can eliminate partitions."""
    yield from tree.find_all(exp.Where)
    for join in tree.find_all(exp.Join):
        yield join.args.get("on")


def merge_filters(tree: exp.Merge) -> Iterator[exp.Expression | None]:
    """Yield a MERGE's own conditions: ON and every WHEN … AND …."""
    yield tree.args.get("on")
    for when in tree.args["whens"].expressions:
        yield when.args.get("condition")


def required_columns(reference: Reference) -> set[str]:
    """Return the partition columns a table wants in a filter; none when it requires no filter."""
    stored = metadata.load(Table, *reference)
    return partition_columns(stored) if stored and stored.requirePartitionFilter else set()


def refusal(reference: Reference, columns: set[str]) -> BigQueryError:
    """Build BigQuery's error for a statement without the filter."""
    column = min(columns, key=lambda name: name == "_partitiondate")
    return BigQueryError(
        "invalidQuery",
        f"{REFUSAL} '{'.'.join(reference)}' without a filter over column(s) '{column}' "
        "that can be used for partition elimination",
    )


def check_view(tree: exp.Expression, reference: Reference) -> None:
    """Refuse a query over a view that leaves the filter to its reader, when the reader gives none."""
    stored = metadata.load(Table, *reference)
    if not (stored and stored.view and stored.view.query):
        return
    body = sqlglot.parse_one(stored.view.query, dialect=BigQueryDialect)
    for table in body.find_all(exp.Table):
        base = names.reference(table, reference[0], reference[1])
        columns = required_columns(base)
        if columns and not mentions(filters(body), columns) and not mentions(filters(tree), columns):
            raise refusal(base, columns)


@contextlib.contextmanager
def view_definition(defines: bool) -> Iterator[None]:
    """Ask for no filter inside the block when it reads a view's definition."""
    token = defining_view.set(defines or defining_view.get())
    try:
        yield
    finally:
        defining_view.reset(token)


def defining_statement(run_statement: Callable[..., Any]) -> Callable[..., Any]:
    """Read the query of CREATE VIEW and CREATE MATERIALIZED VIEW without asking for a filter."""

    def run(cursor: Any, tree: exp.Expression, *args: Any) -> Any:
        with view_definition(isinstance(tree, exp.Create) and tree.args.get("kind") == "VIEW"):
            return run_statement(cursor, tree, *args)

    return run


def defining_resource(translate_view: Callable[..., str]) -> Callable[..., str]:
    """Read the query of a view made by tables.insert without asking for a filter."""

    def run(*args: Any) -> str:
        with view_definition(True):
            return translate_view(*args)

    return run


def filter_check(check: Callable[..., None]) -> Callable[..., None]:
    """Ask for a partition filter exactly where BigQuery does.

    BigQuery takes the filter from WHERE, from a join's ON and from the clauses of a MERGE, asks for one
    in UPDATE and DELETE too, and asks the reader of a view, not its author.
    """

    def run(tree: exp.Expression, table: exp.Table, is_target: bool) -> None:
        reference = (table.catalog, table.db, table.name)
        try:
            check(tree, table, is_target)
        except BigQueryError as error:
            columns = required_columns(reference)
            allowed = (
                defining_view.get() or filtered_merge.get() == reference or mentions(filters(tree), columns)
            )
            if not error.message.startswith(REFUSAL) or not allowed:
                raise
        if is_target and isinstance(tree, exp.Update | exp.Delete) and filtered_merge.get() != reference:
            columns = required_columns(reference)
            if columns and not mentions(filters(tree), columns):
                raise refusal(reference, columns)
        if not is_target and not defining_view.get():
            check_view(tree, reference)

    return run


def filtering_merge(run_merge: Callable[..., Any]) -> Callable[..., Any]:
    """Accept `MERGE … ON FALSE WHEN NOT MATCHED BY SOURCE AND partition IN (…)`, dbt's insert_overwrite."""

    def run(cursor: Any, tree: exp.Merge, context: Any) -> Any:
        reference = names.reference(tree.this, context.project_id, context.dataset_id)
        columns = required_columns(reference)
        if columns and not mentions(merge_filters(tree), columns):
            raise refusal(reference, columns)
        token = filtered_merge.set(reference)
        try:
            return run_merge(cursor, tree, context)
        finally:
            filtered_merge.reset(token)

    return run


def apply() -> None:
    """Install the filter rules."""
    rules._check = filter_check(rules._check)
    merge.run = filtering_merge(merge.run)
    query._run = defining_statement(query._run)
    query.translate_view = api_tables.translate_view = defining_resource(query.translate_view)
