"""Every repair, applied in one place before the server starts."""

from __future__ import annotations

from local.bigquery import concurrency, copies, extensions, loads, partitions, queries, tables


def apply() -> None:
    """Replace the seams of local-bigquery where it differs from BigQuery. Call once, before serving."""
    for module in (extensions, concurrency, tables, partitions, loads, copies, queries):
        module.apply()
