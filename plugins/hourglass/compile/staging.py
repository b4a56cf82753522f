"""The staging folder of a source: its published table as dbt knows it, and a view with readable columns."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from hourglass.compile import properties
from hourglass.compile.artifact import Artifact
from hourglass.compile.columns import Column, key_columns, silver_columns, table_columns
from hourglass.compile.names import listed, quoted
from hourglass.config.source import Source

_DAY = timedelta(days=1)


def model_name(source_id: str) -> str:
    """The staging model of a source."""
    return f"stg_{source_id}__{source_id}"


def folder(source_id: str) -> Path:
    """The staging folder of a source, below the dbt project."""
    return Path("models", "staging", source_id)


def artifacts(source: Source) -> list[Artifact]:
    """The files of a source's staging folder.

    Args:
        source: The source.
    """
    here, columns = folder(source.id), silver_columns(source)
    return [
        Artifact(here / f"{model_name(source.id)}.sql", source.id, _sql(source, columns)),
        Artifact(here / f"_{source.id}__models.yml", source.id, _models(source, columns)),
        Artifact(here / f"_{source.id}__sources.yml", source.id, _sources(source)),
    ]


def landing_where(source: Source) -> str:
    """The `where` of a test on rows of silver or staging: the partitions of the dates at hand."""
    return f"__landing_hours_{source.id}__ and __event_dates__"


def landing_days(source: Source) -> dict[str, int]:
    """How many days before and after its own an event's partition may begin, rounded up.

    Args:
        source: The source.
    """
    reference = source.file.schema_
    late = reference.max_lateness if source.event_time else timedelta(0)
    ahead = reference.max_ahead if source.event_time else timedelta(0)
    return {
        "max_lateness_days": math.ceil(late / _DAY),
        "max_ahead_days": max(1, math.ceil((ahead + _longest_partition(source)) / _DAY)),
    }


def _longest_partition(source: Source) -> timedelta:
    starts = [datetime(2024, 1, 1, tzinfo=UTC)]
    for _ in range(200):
        starts.append(source.grain.next(starts[-1]))
    return max(later - earlier for earlier, later in pairwise(starts[1:]))


def _sql(source: Source, columns: list[Column]) -> str:
    return (
        "-- A view without window functions or aggregates: filters on landing_hour and event_date reach the table.\n"
        f"select\n{listed(c.selected for c in columns)}\n"
        f'from {{{{ source("{source.id}", "{source.id}") }}}}\n'
    )


def _models(source: Source, columns: list[Column]) -> str:
    name, file = model_name(source.id), source.file
    model: dict[str, Any] = {
        "name": name,
        "description": properties.plain(
            f"{file.description} One row per accepted row and partition, records taken apart; what was delivered again "
            "in a later partition is here once per partition. Filter by landing_hour."
        ),
        "config": {
            "tags": [source.id],
            "labels": properties.labels(source, "staging"),
            "meta": {
                "owner": file.owner,
                "grain": f"one row per accepted row and {source.grain}",
                "partition_column": "landing_hour",
            },
        },
        "data_tests": list(_tests(source, columns)),
        "columns": properties.column_entries(columns),
    }
    return properties.dump({"models": [model]})


def _tests(source: Source, columns: list[Column]) -> list[dict[str, Any]]:
    name, where = model_name(source.id), landing_where(source)
    required = [c for c in columns if c.required]
    tests = [
        properties.data_test(
            "never_null",
            f"{name}__required_fields_not_null",
            "The refine job quarantines rows that lack a REQUIRED field.",
            {"columns": [quoted(c.name) for c in required]},
            properties.run_with(source, where),
        )
    ]
    if key := key_columns(source, columns):
        nullable = "".join(f" and {quoted(c.name)} is not null" for c in key if not c.required)
        tests.append(
            properties.data_test(
                "unique_combination",
                f"{name}__one_row_per_key_and_landing_hour",
                "The refine job removes duplicates within a partition.",
                {"columns": ["landing_hour", *(quoted(c.name) for c in key)]},
                properties.run_with(source, where + nullable),
            )
        )
    return tests


def _sources(source: Source) -> str:
    file = source.file
    cluster = f", clustered by {', '.join(file.serving.cluster_by)}" if file.serving.cluster_by else ""
    table: dict[str, Any] = {
        "name": source.id,
        "description": properties.plain(
            "One row per accepted row and partition. Partitioned by landing_hour "
            f"({source.grain.partition_type}){cluster}; a filter on landing_hour is required."
        ),
        "config": {
            "meta": {"owner": file.owner, "grain": f"one row per accepted row and {source.grain}"},
        },
        "columns": properties.column_entries(table_columns(source)),
    }
    described: dict[str, Any] = {
        "name": source.id,
        "description": properties.plain(file.description),
        "database": "{{ env_var('HOURGLASS_PROJECT') }}",
        "schema": "silver",
        "config": {"tags": [source.id], "meta": {"owner": file.owner, **landing_days(source)}},
        "tables": [table],
    }
    return properties.dump({"sources": [described]})
