"""Look-ups that stay fast with hundreds of tables: duckdb_tables() reads the statistics of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_bigquery.catalog import metadata
from local_bigquery.engine import database
from local_bigquery.jobs import query
from local_bigquery.models import Table
from local_bigquery.sql.rules import partitions as rules
from sqlglot import exp

TEMPORARY = "SELECT table_name FROM duckdb_tables() WHERE temporary"
NOTHING = "SELECT NULL AS table_name WHERE false"
OBJECTS = """
SELECT o.name, o.kind, 0 FROM (
    SELECT schema_id, table_name AS name, 'TABLE' AS kind
    FROM {catalog}.ducklake_table WHERE end_snapshot IS NULL
    UNION ALL
    SELECT schema_id, view_name, 'VIEW' FROM {catalog}.ducklake_view WHERE end_snapshot IS NULL
) AS o JOIN {catalog}.ducklake_schema AS s ON s.schema_id = o.schema_id AND s.end_snapshot IS NULL
WHERE s.schema_name = $1 AND o.name = coalesce($2, o.name) ORDER BY 1
"""


def catalog_objects(objects: Callable[..., Any]) -> Callable[..., Any]:
    """List a dataset's tables and views from DuckLake's own catalog; row counts come from the tables."""

    def run(project_id: str, dataset_id: str, table_id: str | None = None) -> Any:
        if project_id not in database._attached:
            return objects(project_id, dataset_id, table_id)
        catalog = database.quote(f"__ducklake_metadata_{project_id}")
        return database.fetch(OBJECTS.format(catalog=catalog), [dataset_id, table_id])

    return run


class FreshCursor:
    """A cursor that knows it has no temporary tables yet, which every query asks first."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def sql(self, text: str, *args: Any, **kwargs: Any) -> Any:
        """Run a query, except the one for temporary tables."""
        return self._cursor.sql(NOTHING if text == TEMPORARY else text, *args, **kwargs)


def fresh_execute(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Run a query outside a session on a cursor of its own, which has no temporary tables."""

    def run(cursor: Any, *args: Any, session: Any = None, **kwargs: Any) -> Any:
        own = cursor if session else FreshCursor(cursor)
        return execute(own, *args, session=session, **kwargs)

    return run


def stored_hidden(hidden: Callable[[exp.Table], bool]) -> Callable[[exp.Table], bool]:
    """Look for the ingestion-time column only in tables that are partitioned by it."""

    def run(table: exp.Table) -> bool:
        stored = metadata.load(Table, table.catalog, table.db, table.name)
        partitioning = stored and stored.timePartitioning
        return bool(partitioning and not partitioning.field and hidden(table))

    return run


def apply() -> None:
    """Install the quick look-ups."""
    database.objects = catalog_objects(database.objects)
    query.execute = fresh_execute(query.execute)
    rules._hidden = stored_hidden(rules._hidden)
