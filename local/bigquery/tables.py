"""What a table's resource tells about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from local_bigquery.catalog import tables
from local_bigquery.engine import database
from local_bigquery.models import Table


def exact_counts(load: Callable[..., Table]) -> Callable[..., Table]:
    """Report the number of rows there are; local-bigquery reports DuckDB's estimate."""

    def run(*reference: str) -> Table:
        resource = load(*reference)
        if resource.type not in ("TABLE", "SNAPSHOT") or not tables.fields(resource):
            return resource
        ((rows,),) = database.fetch(f"SELECT count(*) FROM {tables.name(*reference)}")
        size = str(tables.logical_bytes(rows, len(tables.fields(resource))))
        return resource.replace(
            numRows=str(rows), numBytes=size, numTotalLogicalBytes=size, numActiveLogicalBytes=size
        )

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


def apply() -> None:
    """Install the resource repairs."""
    tables.load = refresh_settings(exact_counts(tables.load))
