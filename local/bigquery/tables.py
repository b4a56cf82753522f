"""What a table's resource tells about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import duckdb
from local_bigquery.catalog import names, tabledata, tables
from local_bigquery.engine import database, types
from local_bigquery.errors import not_found
from local_bigquery.models import Table

from local.bigquery.concurrency import changed_at


def exact_counts(load: Callable[..., Table]) -> Callable[..., Table]:
    """Report the number of rows there are; local-bigquery reports DuckDB's estimate."""

    def run(*reference: str) -> Table:
        resource = load(*reference)
        if (
            reference[1] == tables.RESULTS
            or resource.type not in ("TABLE", "SNAPSHOT")
            or not tables.fields(resource)
        ):
            return resource
        ((rows,),) = database.fetch(f"SELECT count(*) FROM {tables.name(*reference)}")
        size = str(tables.logical_bytes(rows, len(tables.fields(resource))))
        return resource.replace(
            numRows=str(rows), numBytes=size, numTotalLogicalBytes=size, numActiveLogicalBytes=size
        )

    return run


def change_times(load: Callable[..., Table]) -> Callable[..., Table]:
    """Report when a table's rows were changed; local-bigquery reports when its description was."""

    def run(*reference: str) -> Table:
        resource = load(*reference)
        changed = changed_at.get(tuple(part.casefold() for part in reference), 0)
        if changed <= int(resource.lastModifiedTime or 0):
            return resource
        return resource.replace(lastModifiedTime=str(changed))

    return run


def refresh_settings(load: Callable[..., Table]) -> Callable[..., Table]:
    """Report a materialized view's refresh settings, which BigQuery always gives; dbt reads them."""

    def run(*reference: str) -> Table:
        resource = load(*reference)
        view: Any = resource.materializedView
        if view is None or view.refreshIntervalMs is not None:
            return resource
        enabled = True if view.enableRefresh is None else view.enableRefresh
        return resource.replace(
            materializedView=view.replace(enableRefresh=enabled, refreshIntervalMs="1800000")
        )

    return run


def quick_lookup(lookup: Callable[..., Any]) -> Callable[..., Any]:
    """Find a query's result table by name; a walk through the whole catalog is slow."""

    def run(project_id: str, dataset_id: str, table_id: str) -> Any:
        if dataset_id != tables.RESULTS:
            return lookup(project_id, dataset_id, table_id)
        try:
            ((rows,),) = database.fetch(
                f"SELECT count(*) FROM {tables.name(project_id, dataset_id, table_id)}"
            )
        except duckdb.CatalogException:
            return None
        return "TABLE", rows

    return run


def quick_columns(columns: Callable[..., Any]) -> Callable[..., Any]:
    """Read a result table's columns from the table alone; none of them is REQUIRED."""

    def run(project_id: str, dataset_id: str, table_id: str) -> Any:
        if dataset_id != tables.RESULTS:
            return columns(project_id, dataset_id, table_id)
        name = tables.name(project_id, dataset_id, table_id)
        with database.cursor() as cursor:
            try:
                relation = cursor.sql(f"SELECT * FROM {name} LIMIT 0")
            except duckdb.CatalogException:
                raise not_found("Table", names.label(project_id, dataset_id, table_id)) from None
            return [types.field(n, t) for n, t in zip(relation.columns, relation.types, strict=True)]

    return run


def nested_fields(alter: Callable[..., None]) -> Callable[..., None]:
    """Add the fields that a RECORD has gained; local-bigquery adds columns only."""

    def run(project_id: str, dataset_id: str, table_id: str, fields: list[Any]) -> None:
        there = tables.columns(project_id, dataset_id, table_id)
        alter(project_id, dataset_id, table_id, fields)
        table = tables.name(project_id, dataset_id, table_id)
        for path, field in added_inside(there, fields, ""):
            kind = types.column(field, nested=True).removeprefix(tables.quote(field.name))
            database.execute(f"ALTER TABLE {table} ADD COLUMN {path}{tables.quote(field.name)}{kind}")

    return run


def added_inside(there: list[Any], wanted: list[Any], path: str) -> Iterator[tuple[str, Any]]:
    """The fields that records have gained, each with the path that leads to it."""
    known = {field.name.casefold(): field for field in there}
    for field in wanted:
        same = known.get(field.name.casefold())
        if same is None and path:
            yield path, field
        elif same is not None and same.fields:
            element = tables.quote("element") + "." if same.mode == "REPEATED" else ""
            yield from added_inside(
                same.fields, field.fields or [], f"{path}{tables.quote(field.name)}.{element}"
            )


def apply() -> None:
    """Install the resource repairs."""
    tables._lookup = quick_lookup(tables._lookup)
    tables.columns = tabledata.columns = quick_columns(tables.columns)
    tables._alter = nested_fields(tables._alter)
    tables.load = change_times(refresh_settings(exact_counts(tables.load)))
