"""Options of DDL statements that local-bigquery drops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_bigquery.catalog import ddl, options
from local_bigquery.engine import database
from local_bigquery.jobs import query
from sqlglot import exp

MINUTE_MS = 60_000
DAYS = "partition_expiration_days"


def milliseconds(unit: int) -> Callable[[exp.Expression, options.Evaluate], str | None]:
    """Return a reader of an option given in days or minutes, as BigQuery's resources hold it.

    Args:
        unit: milliseconds in one of the option's units.
    """

    def read(node: exp.Expression, evaluate: options.Evaluate) -> str | None:
        return None if isinstance(node, exp.Null) else str(int(float(str(evaluate(node))) * unit))

    return read


EXPIRATION = {DAYS: options.Option("expirationMs", "FLOAT64", milliseconds(options.DAY_MS))}
VIEW_OPTIONS = {
    "enable_refresh": options.Option("enableRefresh", "BOOL"),
    "refresh_interval_minutes": options.Option("refreshIntervalMs", "FLOAT64", milliseconds(MINUTE_MS)),
    "allow_non_incremental_definition": options.Option("allowNonIncrementalDefinition", "BOOL"),
}
DATASET_EXPIRATION = options.Option(
    "defaultPartitionExpirationMs",
    "FLOAT64",
    milliseconds(options.DAY_MS),
    lambda value: str(int(value) / options.DAY_MS),
)


def range_partitioning(partitioning: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Keep PARTITION BY RANGE_BUCKET(column, GENERATE_ARRAY(start, end, interval))."""

    def run(node: exp.PartitionedByProperty) -> dict[str, Any]:
        call = node.this
        if not isinstance(call, exp.Anonymous) or not call.name.casefold().endswith("range_bucket"):
            return partitioning(node)
        column, series = call.expressions
        bounds = [number.sql() for number in series.find_all(exp.Literal, exp.Neg) if number.parent is series]
        limits = dict(zip(("start", "end", "interval"), bounds, strict=False))
        return {"rangePartitioning": {"field": column.name, "range": {"interval": "1"} | limits}}

    return run


def created_expiration(table: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Keep CREATE TABLE's partition_expiration_days as timePartitioning.expirationMs."""

    def run(tree: exp.Create, reference: tuple[str, str, str], evaluate: options.Evaluate) -> dict[str, Any]:
        resource = table(tree, reference, evaluate)
        if "timePartitioning" in resource:
            resource["timePartitioning"] |= options.options(tree.args.get("properties"), EXPIRATION, evaluate)
        return resource

    return run


def altered_options(alteration: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Let ALTER … SET OPTIONS change the partition expiration and replace the labels, not add to them."""

    def run(
        stored: Any, action: exp.Expression, reference: Any, evaluate: options.Evaluate
    ) -> dict[str, Any]:
        changes = alteration(stored, action, reference, evaluate)
        if not isinstance(action, exp.AlterSet):
            return changes
        if "labels" in changes:
            stored.labels = None  # the caller merges into this copy, which would keep old keys
        expiration = options.options(action, EXPIRATION, evaluate)
        return changes | ({"timePartitioning": expiration} if expiration and stored.timePartitioning else {})

    return run


def view_options(definition: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Keep a materialized view's refresh options."""

    def run(tree: exp.Create, project_id: str, dataset_id: str) -> dict[str, Any]:
        resource = definition(tree, project_id, dataset_id)
        if "materializedView" in resource:
            literals = options.options(tree.args.get("properties"), VIEW_OPTIONS, literal)
            resource["materializedView"] |= literals
        return resource

    return run


def literal(node: exp.Expression) -> object:
    """Read a literal option's value; local-bigquery gives view definitions no evaluator."""
    return node.this if isinstance(node, exp.Boolean | exp.Literal) else None


def locked_ddl(run_statement: Callable[..., Any]) -> Callable[..., Any]:
    """Let CREATE OR REPLACE, ALTER and DROP of a table wait for the jobs that write into it."""

    def run(cursor: Any, tree: exp.Expression, context: Any, *args: Any) -> Any:
        if not isinstance(tree, exp.Create | exp.Drop | exp.Alter):
            return run_statement(cursor, tree, context, *args)
        with database.writing(*query._target(tree, context)):
            return run_statement(cursor, tree, context, *args)

    return run


def apply() -> None:
    """Install the DDL repairs."""
    ddl._partitioning = range_partitioning(ddl._partitioning)
    ddl._table = created_expiration(ddl._table)
    ddl._alteration = altered_options(ddl._alteration)
    ddl._definition = view_options(ddl._definition)
    options.DATASET_OPTIONS["default_partition_expiration_days"] = DATASET_EXPIRATION
    query._run = locked_ddl(query._run)
