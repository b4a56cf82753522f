"""Every repair, applied in one place before the server starts."""

from __future__ import annotations

from local.bigquery import (
    concurrency,
    copies,
    ddl,
    decorators,
    extensions,
    filters,
    fingerprint,
    information,
    loads,
    lookups,
    parquet,
    queries,
    tables,
    unnest,
    writes,
)

MODULES = (
    extensions,
    fingerprint,
    concurrency,
    tables,
    decorators,
    writes,
    parquet,
    loads,
    lookups,
    copies,
    queries,
    filters,
    ddl,
    unnest,
    information,
)


def apply() -> None:
    """Replace the seams of local-bigquery where it differs from BigQuery. Call once, before serving."""
    for module in MODULES:
        module.apply()
