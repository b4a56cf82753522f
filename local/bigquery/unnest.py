"""`UNNEST(event_params) WHERE key = …`: the fields of an unnested record without naming the record."""

from __future__ import annotations

from typing import Any

from local_bigquery.sql import rules
from sqlglot import exp


def record_fields(tree: exp.Expression, context: Any) -> exp.Expression:
    """Make the fields of records visible where UNNEST in FROM has no alias, as BigQuery's value tables do.

    Args:
        tree: a statement.
        context: the translation's context, which this rule does not need.

    Returns:
        The statement; DuckDB spreads a record into columns and leaves other elements alone.
    """
    for unnest in tree.find_all(exp.Unnest):
        in_from = isinstance(unnest.parent, exp.From | exp.Join)
        if in_from and not unnest.args.get("alias") and not unnest.args.get("offset"):
            unnest.set("explode_array", True)
    return tree


def apply() -> None:
    """Put the rule before local-bigquery's own."""
    rules.STATEMENT_RULES.insert(0, record_fields)
