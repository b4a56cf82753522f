"""The marts folder of a source: its gold table, and the views that serve it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from hourglass.compile import gold, properties
from hourglass.compile.artifact import Artifact
from hourglass.compile.columns import Column
from hourglass.compile.joins import Tables
from hourglass.compile.names import quoted
from hourglass.compile.query import Query
from hourglass.compile.views import views
from hourglass.config.processing import Join
from hourglass.config.source import Source


@dataclass(frozen=True)
class Model:
    """One model of the marts folder: its SQL and its entry in the properties file."""

    name: str
    sql: str
    entry: dict[str, Any]


def folder(source_id: str) -> Path:
    """The marts folder of a source, below the dbt project."""
    return Path("models", "marts", source_id)


def artifacts(source: Source, query: Query | None, tables: Tables) -> list[Artifact]:
    """The files of a source's marts folder; none when it has neither a gold table nor views.

    Args:
        source: The source.
        query: The query of its gold table, if it has one.
        tables: What it may join.
    """
    models = [_gold(source, query, tables)] if query else []
    own = query if source.file.processing.silver_to_gold else None
    models += [Model(v.name, v.sql, v.entry) for v in views(source, own)]
    if not models:
        return []
    here = folder(source.id)
    text = properties.dump({"models": [m.entry for m in models]})
    files = [Artifact(here / f"{m.name}.sql", source.id, m.sql) for m in models]
    return [*files, Artifact(here / f"_{source.id}__marts.yml", source.id, text)]


def _gold(source: Source, query: Query, tables: Tables) -> Model:
    name = f"gold_{source.id}"
    entry = {
        "name": name,
        "description": properties.plain(_description(source, query)),
        "config": _config(source, query),
        "data_tests": list(_tests(source, query, tables)),
        "columns": properties.column_entries(gold.final_columns(query)),
    }
    return Model(name, gold.sql(query), entry)


def _description(source: Source, query: Query) -> str:
    rest = (
        f"Partitioned by {query.date}; a filter on it is required."
        if query.date
        else "No date tells its rows apart: every run computes all of it anew."
    )
    return f"{source.file.description} Here {query.grain}. {rest}"


def _config(source: Source, query: Query) -> dict[str, Any]:
    config: dict[str, Any] = {
        "alias": source.id,
        "schema": "gold",
        "tags": [source.id],
        "labels": properties.labels(source, "mart"),
        "meta": properties.Short(owner=source.file.owner, grain=query.grain),
        "materialized": "incremental",
        "incremental_strategy": "insert_overwrite",
        "on_schema_change": "fail",
    }
    if query.date:
        kept = source.file.retention.gold or source.file.retention.published
        days = math.ceil(kept / timedelta(days=1))
        config |= {
            "partition_by": properties.Short(field=query.date, data_type="date", granularity="day"),
            "require_partition_filter": True,
            "partition_expiration_days": (
                f"{{{{ env_var('HOURGLASS_MART_EXPIRATION_DAYS', '{days}') | as_number }}}}"
            ),
        }
    if cluster := gold.cluster_by(query):
        config["cluster_by"] = cluster
    return config


def _tests(source: Source, query: Query, tables: Tables) -> Iterator[dict[str, Any]]:
    name, where = f"gold_{source.id}", gold.dates_where(query.date)
    config = properties.run_with(source, where)
    columns = {c.name: c for c in query.columns.values()}
    required = [quoted(n) for n in query.unique if columns[n].required]
    if required:
        yield properties.data_test(
            "never_null",
            f"{name}__keys_not_null",
            "What tells rows apart is there, but for fields that may be missing.",
            {"columns": required},
            config,
        )
    if query.unique:
        yield properties.data_test(
            "unique_combination",
            f"{name}__one_row_per_group",
            f"There is {query.grain}.",
            {"columns": [quoted(n) for n in query.unique]},
            properties.run_with(source, _known(where, [columns[n] for n in query.unique], source)),
        )
    for step in source.file.processing.silver_to_gold:
        if step.join:
            yield from _join_tests(source, query, step.join, tables)


def _known(where: str | None, unique: list[Column], source: Source) -> str | None:
    """Rows without a key are not deduplicated, so only rows of one group each are held to it."""
    if source.file.aggregate or not source.file.processing.silver_to_gold:
        return where
    known = [f"{quoted(c.name)} is not null" for c in unique if not c.required]
    return " and ".join(filter(None, [where, *known])) or None


def _join_tests(source: Source, query: Query, join: Join, tables: Tables) -> Iterator[dict[str, Any]]:
    table, name = tables.find(join.table, source), f"gold_{source.id}"
    if table.latest:
        return
    keys, to = [quoted(key) for key in join.on], table.relation.replace('"', "'")
    rows = {"to_where": table.where} if table.where else {}
    yield properties.data_test(
        "joins_one_row",
        f"{name}__{table.name}_does_not_multiply_rows",
        f"{join.table} has one row for each {', '.join(join.on)}; a second one would count rows twice.",
        {"to": to, "columns": keys, **rows},
        properties.run_with(source, gold.dates_where(query.date)),
    )
    kept = {c.name for c in query.columns.values()}
    if join.type == "left" and kept.issuperset(join.on):
        yield properties.data_test(
            "found_in",
            f"{name}__{table.name}_is_found",
            f"Rows without a partner in {join.table} stay, with nothing in its columns.",
            {"to": to, "columns": keys, **rows},
            properties.run_with(source, gold.dates_where(query.date), severity="warn"),
        )
