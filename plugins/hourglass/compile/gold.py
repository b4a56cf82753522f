"""The gold table of a source: the steps of silver_to_gold as one query."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from hourglass.compile.columns import CLUSTERABLE, SYSTEM, Column, key_columns, silver_columns
from hourglass.compile.joins import Table, Tables, UnknownTableError
from hourglass.compile.names import dotted, listed, quoted
from hourglass.compile.query import Query, Step
from hourglass.config.metrics import Metric, parse_metric
from hourglass.config.processing import Aggregate, Join
from hourglass.config.source import Source

DATE_PARTS = ("date", "hour", "window")
_SENSITIVE = ("restricted", "pii", "sensitive")
_NEVER_NULL = ("count", "countif", "approx_count_distinct")


class GoldError(ValueError):
    """A step of silver_to_gold cannot be written as SQL."""


def gold_query(source: Source, tables: Tables) -> Query:
    """The query of `gold.SOURCE`.

    Args:
        source: A source with steps in silver_to_gold.
        tables: What it may join.

    Raises:
        GoldError: A step names something that is not there.
    """
    aggregate = source.file.aggregate
    dated = aggregate is None or _has_date(source, aggregate)
    query = deliveries(source, dated=dated)
    for step in source.file.processing.silver_to_gold:
        if step.join:
            query = _joined(query, source, step.join, tables)
        elif step.aggregate:
            query = _aggregated(query, source, step.aggregate)
    return query


def current_query(source: Source, key: list[str]) -> Query:
    """The query of a gold table that is made because others read it: the current row of each key.

    Args:
        source: A source without silver_to_gold.
        key: Dotted paths by which rows are told apart when the source has no deduplication key.
    """
    columns = _by_path(source)
    found = key_columns(source, list(columns.values())) or [columns[k] for k in key if k in columns]
    if not found:
        raise GoldError(
            f"gold.{source.id} is read by other sources, but nothing tells its rows apart; give {source.id} a "
            "deduplication key or a silver_to_gold of its own"
        )
    query = Query(
        (_landed(source, dated=False, comment="Everything that is kept."),),
        "landed",
        columns,
        tuple(c.name for c in found),
        grain=f"one row per {', '.join(c.name for c in found)}, the current one",
    )
    own = [f"{dotted(source.event_time)} desc"] if source.event_time else []
    newest = ", ".join([*own, "landing_hour desc", "source_object desc", "source_line desc"])
    ranked = _ranked(found, newest, "age", "landed")
    known = " and ".join(f"{c.expression} is not null" for c in found if not c.required)
    return query.then(
        replace(
            ranked,
            comment="The row whose own time is the latest is the current one; of equals, the last to land.",
        ),
        Step(
            "current_rows",
            "select * except (age)\nfrom ranked\nwhere age = 1" + (f" and {known}" if known else ""),
        ),
    )


def deliveries(source: Source, *, dated: bool) -> Query:
    """The rows of a source, each once: a row that was delivered again counts where it landed first.

    Args:
        source: The source.
        dated: Whether the event dates at hand are enough.
    """
    columns = _by_path(source)
    key = key_columns(source, list(columns.values()))
    date = "event_date" if dated else None
    unique = (*(["event_date"] if dated else []), *(c.name for c in key)) if key else ()
    grain = "one row per " + (", ".join(c.name for c in key) if key else "row of silver")
    why = "The rows of the event dates at hand, from every partition that can hold them." if dated else ""
    query = Query((_landed(source, dated=dated, comment=why),), "landed", columns, unique, date, grain)
    if not key:
        return query
    known = "".join(f" or {c.expression} is null" for c in key if not c.required)
    by = [columns["event_date"], *key] if dated else key
    why = "A row that was delivered again in a later partition counts where it landed first."
    if dated:
        why += "\nRanked within its event date, so that a date depends on that date's rows alone."
    ranked = _ranked(by, "landing_hour, source_object, source_line", "delivery", "landed")
    return query.then(
        replace(ranked, comment=why),
        Step("deliveries", f"select * except (delivery)\nfrom ranked\nwhere delivery = 1{known}"),
    )


def _by_path(source: Source) -> dict[str, Column]:
    return {c.path: c for c in silver_columns(source)}


def _landed(source: Source, *, dated: bool, comment: str) -> Step:
    read = f'select *\nfrom {{{{ source("{source.id}", "{source.id}") }}}}\nwhere'
    if not dated:
        return Step("landed", f'{read} {{{{ landing_hours_for(none, "{source.id}") }}}}', comment)
    hours = f'{{{{ landing_hours_for(event_dates, "{source.id}") }}}}'
    return Step(
        "landed", f"{read}\n    {hours}\n    and {{{{ event_dates_predicate(event_dates) }}}}", comment
    )


def _ranked(by: Iterable[Column], order: str, name: str, rows: str) -> Step:
    return Step(
        "ranked",
        "select\n    *,\n    row_number() over (\n"
        f"        partition by {', '.join(c.expression for c in by)}\n"
        f"        order by {order}\n"
        f"    ) as {name}\nfrom {rows}",
    )


def _joined(query: Query, source: Source, join: Join, tables: Tables) -> Query:
    try:
        table = tables.find(join.table, source)
    except UnknownTableError as error:
        raise GoldError(str(error)) from None
    name = table.name if table.name not in {s.name for s in query.steps} else f"{table.name}_joined"
    there = {c.name: c for c in table.columns}
    for key in join.on:
        _check_key(query, there, key, join.table)
    taken = query.names() | set(DATE_PARTS)
    brought = [c for c in table.columns if c.name not in join.on and c.name.lower() not in taken]
    pairs = "\n    and ".join(f"{query.rows}.{dotted(k)} = {name}.{quoted(k)}" for k in join.on)
    on = f" {pairs}" if len(join.on) == 1 else f"\n    {pairs}"
    added = [f"{query.rows}.*", *(f"{name}.{quoted(c.name)}" for c in brought)]
    kind = "inner join" if join.type == "inner" else "left join"
    keyed = [c for c in table.columns if c.name in join.on]
    read = replace(table, columns=[*keyed, *brought])
    result = query.then(
        Step(name, read.sql(join.on), _about(table, join)),
        Step(f"with_{name}", f"select\n{listed(added)}\nfrom {query.rows}\n{kind} {name} on{on}"),
    )
    # What a left join brings may be missing.
    columns = {c.name: replace(c, required=False, expression=quoted(c.name), path=c.name) for c in brought}
    return replace(result, columns={**query.columns, **columns})


def _about(table: Table, join: Join) -> str:
    if table.latest:
        return f"The latest row of each {', '.join(join.on)} in {join.table}."
    return f"{join.table} as it is now."


def _check_key(query: Query, there: dict[str, Column], key: str, table: str) -> None:
    if key not in query.columns:
        raise GoldError(f"the join with {table} is on {key!r}, which its rows do not have before the join")
    if key not in there:
        raise GoldError(f"the join with {table} is on {key!r}; that table has {', '.join(sorted(there))}")
    if query.columns[key].type != there[key].type:
        raise GoldError(
            f"the join with {table} is on {key!r}, which is {query.columns[key].type} here and {there[key].type} there"
        )


def _has_date(source: Source, aggregate: Aggregate) -> bool:
    fields = {path.lower() for path in _by_path(source)}
    return any(n == "event_date" or (n in DATE_PARTS and n not in fields) for n in aggregate.group_by)


def _aggregated(query: Query, source: Source, aggregate: Aggregate) -> Query:
    groups = [_group(query, source, name) for name in aggregate.group_by]
    date = None
    if query.date:
        date = next((g.name for g in groups if g.expression == query.date), None)
        if date is None:
            groups.insert(0, query.columns["event_date"])
            date = "event_date"
    metrics = [_metric(query, parse_metric(text)) for text in aggregate.metrics]
    names = ", ".join(quoted(g.name) for g in groups)
    sql = f"select\n{listed(c.selected for c in [*groups, *metrics])}\nfrom {query.rows}\ngroup by {names}"
    result = query.then(Step("aggregated", sql))
    columns = [replace(c, expression=quoted(c.name), path=c.name) for c in [*groups, *metrics]]
    return replace(
        result,
        columns={c.path: c for c in columns},
        unique=tuple(g.name for g in groups),
        date=date,
        grain=f"one row per {', '.join(g.name for g in groups)}",
    )


def _group(query: Query, source: Source, name: str) -> Column:
    if name in query.columns:
        return query.columns[name]
    if name == "date":
        return Column("date", "date", "UTC date of the event.", "event_date", "date", required=True)
    if name not in ("hour", "window"):
        raise GoldError(
            f"group_by names {name!r}, which is no field, no joined column and no part of the time"
        )
    stamp = query.columns.get(source.event_time or "")
    if stamp is None or stamp.type != "timestamp":
        raise GoldError(f"group_by names {name!r}, but {source.id} has no event time that is a TIMESTAMP")
    if name == "hour":
        hour = f"timestamp_trunc({stamp.expression}, hour)"
        return Column("hour", "timestamp", "Start of the event's hour (UTC).", hour, "hour", stamp.required)
    if source.file.window_size is None:
        raise GoldError("group_by names 'window', but ingestion.window_size does not say how long one is")
    seconds = int(source.file.window_size.total_seconds())
    start = f"timestamp_seconds(div(unix_seconds({stamp.expression}), {seconds}) * {seconds})"
    about = f"Start of the event's window of {seconds} seconds; one over midnight has a row on each date."
    return Column("window_start", "timestamp", about, start, "window", stamp.required)


def _metric(query: Query, metric: Metric) -> Column:
    column = query.columns.get(metric.field or "")
    if metric.field and column is None:
        raise GoldError(
            f"the metric {metric.alias!r} computes on {metric.field!r}, which is no field or joined column"
        )
    kind = column.type.upper() if column else None
    expression = metric.sql.replace(metric.argument, dotted(metric.argument)) if column else metric.sql
    return Column(
        name=metric.alias,
        type=metric.result_type(kind).lower(),
        description=f"{metric.sql} of the group.",
        expression=expression,
        path=metric.alias,
        required=metric.function in _NEVER_NULL,
        classification=None if metric.function in _NEVER_NULL else _strictest(query, metric.argument),
    )


def _strictest(query: Query, text: str) -> str | None:
    """The strictest classification of the columns that an expression mentions."""
    words = set(re.findall(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", text))
    found = {query.columns[word].classification for word in words if word in query.columns}
    return next((c for c in _SENSITIVE if c in found), None)


def final_columns(query: Query) -> list[Column]:
    """The columns of the gold table: without the ones that only say where a row was read."""
    left_out = SYSTEM - {"event_date", "landing_hour"}
    return [c for path, c in query.columns.items() if path not in left_out]


def cluster_by(query: Query) -> list[str]:
    """Up to four columns to cluster by: those that tell rows apart, but for the date."""
    columns = {c.name: c for c in query.columns.values()}
    names = [n for n in query.unique if n != query.date and columns[n].type in CLUSTERABLE]
    return names[:4]


def sql(query: Query) -> str:
    """The query as a dbt model.

    Args:
        query: The query.
    """
    # An aggregate that comes last is the result itself.
    *steps, last = query.steps
    if last.name != "aggregated":
        steps = [*steps, last]
        columns = listed(c.selected for c in final_columns(query))
        last = Step("", f"select\n{columns}\nfrom {query.rows}")
    dates = "{%- set event_dates = hourglass_event_dates() %}\n\n" if query.date else ""
    first, *others = steps
    body = ",\n\n".join([replace(first, comment="").text, *(step.text for step in others)])
    return f"{dates}{first.remark}with {body}\n\n{last.sql}\n"


def dates_where(date: str | None) -> str | None:
    """The `where` of a test on a table that is partitioned by a date; None for one that is read whole."""
    if date is None:
        return None
    return "__event_dates__" if date == "event_date" else f"__event_dates_of_{date}__"
