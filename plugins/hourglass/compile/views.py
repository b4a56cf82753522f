"""The views that serve a source: for clients of the API, for reports, for models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hourglass.compile import gold, properties, staging
from hourglass.compile.columns import SYSTEM, Column, key_columns, silver_columns
from hourglass.compile.names import listed, quoted
from hourglass.compile.query import Query
from hourglass.config.source import Source

_SHOWN_TO_CLIENTS = (None, "public")
_HIDDEN_FROM_ANALYSTS = ("pii", "restricted")
# Where a row was read is nobody's business, and unknown fields may hold anything.
_INTERNAL = SYSTEM - {"landing_hour", "event_date"}


@dataclass(frozen=True)
class View:
    """One view: its name in dbt, its SQL and its entry in the properties file."""

    name: str
    sql: str
    entry: dict[str, Any]


@dataclass(frozen=True)
class Base:
    """What a source's views read.

    Args:
        model: The model's name.
        columns: Its columns.
        unique: The columns that tell its rows apart.
        key: Those by which the latest row is looked for; none when every row counts.
        newest: The order in which the latest row comes first; empty for groups of an aggregate.
        partition: The column that a query has to filter by.
        where: The `where` of a test on a view that passes the rows through.
    """

    model: str
    columns: list[Column]
    unique: list[str]
    key: list[str]
    newest: str
    partition: str | None
    where: str | None


def views(source: Source, query: Query | None) -> Iterator[View]:
    """The views that a source's `serving` asks for.

    Args:
        source: The source.
        query: The query of its own gold table, if it has one.

    Raises:
        GoldError: A view would have no columns.
    """
    base, serving = _base(source, query), source.file.serving
    if serving.third_party_api:
        shown = [c for c in base.columns if c.classification in _SHOWN_TO_CLIENTS]
        yield _view(source, "api", base, shown, "what is public, or not classified")
    analysts = [c for c in base.columns if c.classification not in _HIDDEN_FROM_ANALYSTS]
    if serving.reporting:
        yield _view(source, "reporting", base, analysts, "nothing that is pii or restricted")
    if serving.ml_features:
        rest = f"the latest row of each {', '.join(base.key)}" if base.key else "every row"
        text = f"nothing that is pii or restricted; {rest}"
        yield _view(source, "ml", base, analysts, text, latest=bool(base.key))


def _base(source: Source, query: Query | None) -> Base:
    newest = ", ".join(["landing_hour desc", "source_object desc", "source_line desc"])
    if query is None:
        columns = silver_columns(source)
        key = [c.name for c in key_columns(source, columns)]
        own = next((f"{quoted(c.name)} desc, " for c in columns if c.path == source.event_time), "")
        return Base(
            model=staging.model_name(source.id),
            columns=_passed(columns),
            unique=["landing_hour", *key] if key else [],
            key=key,
            newest=own + newest,
            partition="landing_hour",
            where=staging.landing_where(source),
        )
    columns = gold.final_columns(query)
    by_row = source.file.aggregate is None
    return Base(
        model=f"gold_{source.id}",
        columns=_passed(columns),
        unique=list(query.unique),
        key=[name for name in query.unique if name != "event_date"] if by_row else [],
        newest="event_date desc, landing_hour desc" if by_row else "",
        partition=query.date,
        where=gold.dates_where(query.date),
    )


def _passed(columns: list[Column]) -> list[Column]:
    return [replace(c, expression=quoted(c.name), path=c.name) for c in columns if c.path not in _INTERNAL]


def _view(
    source: Source, layer: str, base: Base, columns: list[Column], what: str, *, latest: bool = False
) -> View:
    if not columns:
        raise gold.GoldError(
            f"the view {layer}.{source.id} would have no columns: all of them are classified"
        )
    name = f"{layer}_{source.id}"
    meta = properties.Short(owner=source.file.owner, grain=f"as {base.model}, {what}")
    if base.partition and not latest:
        meta["partition_column"] = base.partition
    entry = {
        "name": name,
        "description": properties.plain(f"{source.file.description} For {_READERS[layer]}: {what}."),
        "config": {
            "alias": source.id,
            "schema": layer,
            "tags": [source.id],
            "labels": properties.labels(source, layer),
            "meta": meta,
            "materialized": "view",
        },
        "data_tests": list(_tests(source, name, base, columns, latest=latest)),
        "columns": properties.column_entries(columns),
    }
    return View(name, _latest_sql(base, columns) if latest else _sql(base, columns), entry)


_READERS = {"api": "clients of the API", "reporting": "reports", "ml": "models"}


def _sql(base: Base, columns: list[Column]) -> str:
    return f'select\n{listed(c.selected for c in columns)}\nfrom {{{{ ref("{base.model}") }}}}\n'


def _latest_sql(base: Base, columns: list[Column]) -> str:
    keys = ", ".join(quoted(key) for key in base.key)
    where = f'{{{{ every_partition(ref("{base.model}")) }}}}'
    if base.partition == "landing_hour":
        where = "landing_hour >= timestamp '1970-01-01 00:00:00+00'"
    ranked = (
        "    select\n        *,\n        row_number() over (\n"
        f"            partition by {keys}\n            order by {base.newest}\n        ) as age\n"
        f'    from {{{{ ref("{base.model}") }}}}\n    where {where}\n'
    )
    return f"with ranked as (\n{ranked})\n\nselect\n{listed(c.selected for c in columns)}\nfrom ranked\nwhere age = 1\n"


def _tests(
    source: Source, name: str, base: Base, columns: list[Column], *, latest: bool
) -> Iterator[dict[str, Any]]:
    shown = {c.name for c in columns}
    where = base.where
    if required := [quoted(c.name) for c in columns if c.required]:
        yield properties.data_test(
            "never_null",
            f"{name}__required_columns_not_null",
            f"As in {base.model}.",
            {"columns": required},
            properties.run_with(source, where),
        )
    unique = base.key if latest else base.unique
    if unique and shown.issuperset(unique):
        # Rows without a key were never deduplicated; an aggregate has one row for the group without one.
        by_row = [] if base.newest == "" else [c for c in columns if c.name in unique and not c.required]
        known = [f"{quoted(c.name)} is not null" for c in by_row]
        yield properties.data_test(
            "unique_combination",
            f"{name}__one_row_per_key",
            f"One row per {', '.join(unique)}.",
            {"columns": [quoted(n) for n in unique]},
            properties.run_with(source, " and ".join(filter(None, [where, *known])) or None),
        )
