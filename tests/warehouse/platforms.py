"""Three days of the startup, the shop, the lambda platform and the configured one, and their marts after one build."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import isnan
from typing import Any

import pandas as pd

from hourglass.config import load_source
from hourglass.generate.platforms import configured, lambda_medallion, shop, startup
from hourglass.generate.platforms.landing import Landed, merged
from hourglass.generate.record import as_moment, data_paths, get
from local.published import Row, event_dates
from local.refining import ENRICH
from tests.warehouse.published import INCLUDE, Warehouse

Frame = Any  # a pandas.DataFrame; its stubs know the keys of groups as Hashable only
DAYS = tuple(date(2026, 1, 5) + timedelta(days=n) for n in range(3))
SCALE = {startup: 0.02, shop: 0.02, lambda_medallion: 0.02, configured: 0.02}
NOT_IN_MARTS = ("salesforce_exports", "iot_sensors")
MARTS: dict[str, tuple[str, ...]] = {
    "startup": (
        "staging.events_clean",
        "staging.users_clean",
        "staging.sessions_clean",
        "intermediate.user_metrics",
        "intermediate.event_metrics",
        "intermediate.ml_features",
        "gold.user_analytics",
        "gold.business_metrics",
        "gold.ml_training",
    ),
    "shop": (
        "gold.fct_orders",
        "gold.fct_order_items",
        "gold.customer_lifetime_value",
        "gold.fct_inventory_levels",
        "gold.inventory_low_stock",
        "gold.fct_user_activity",
        "gold.fct_activity_funnel",
    ),
    "lambda_medallion": (
        "gold.fct_events",
        "gold.fct_daily_summary",
        "gold.fct_user_purchases",
        "gold.fct_user_browsing",
        "gold.dim_user_segments",
        "gold.fct_user_journey",
        "gold.daily_category_funnel",
        "gold.dim_customers_scd2",
        "gold.fct_support_tickets",
        "gold.daily_support_summary",
        "gold.daily_quarantine",
    ),
    "configured": (
        "gold.customer_360",
        "gold.product_analytics",
        "gold.gold_orders",
        "gold.gold_transactions",
    ),
}
TABLES = tuple(table for tables in MARTS.values() for table in tables)
# Compiled gold tables bear other names in the warehouse than in dbt.
ALIASES = {"gold.gold_orders": "gold.orders", "gold.gold_transactions": "gold.transactions"}
WITHOUT_TESTS = "build --exclude-resource-type test"
TESTED_ELSEWHERE = "stg_*,resource_type:test postgres_orders_*,resource_type:test"
# Source, partition, state, lines, accepted, quarantined, repeats, attempt.
LEDGER = (
    ("clickstream", "2026-01-05T10", "failed", 90, 80, 10, 0, 1),
    ("clickstream", "2026-01-05T10", "published", 100, 90, 7, 3, 2),
    ("clickstream", "2026-01-05T11", "published", 50, 49, 1, 0, 1),
    ("orders", "2026-01-05T10", "failed", 20, 15, 5, 0, 1),
)
# Source, partition, action, line; what was decided on a line last counts.
DECISIONS = (
    ("clickstream", "2026-01-05T10", "discarded", 4),
    ("clickstream", "2026-01-05T10", "replayed", 4),
    ("clickstream", "2026-01-05T10", "discarded", 9),
    ("clickstream", "2026-01-05T11", "replayed", 4),
)


def selected(*platforms: str) -> list[str]:
    """The models of platforms with all that they read, as dbt selects them."""
    return [f"+{table.partition('.')[2]}" for name in platforms or MARTS for table in MARTS[name]]


def generated() -> Landed:
    """The rows of all sources, by the partition in which they land."""
    found = merged(*(module.day(when, 1, scale) for when in DAYS for module, scale in SCALE.items()))
    return {source: hours for source, hours in found.items() if source not in NOT_IN_MARTS}


def publish(warehouse: Warehouse, landed: Landed) -> str:
    """Publish partitions of all sources; returns their event dates."""
    dates = [warehouse.publish(source, hours, ENRICH.get(source)) for source, hours in landed.items()]
    return event_dates(found for each in dates for found in each.split(",") if found)


def landed_on(landed: Landed, days: Iterable[date]) -> Landed:
    """The partitions that begin on days."""
    wanted = set(days)
    return {s: {h: rows for h, rows in hours.items() if h.date() in wanted} for s, hours in landed.items()}


def landing_days(landed: Landed) -> list[date]:
    """The days on which something landed."""
    return sorted({hour.date() for hours in landed.values() for hour in hours})


def first_halves(landed: Landed, seed: int = 3) -> Landed:
    """The partitions as they were before some of their files came."""
    draw = random.Random(seed)
    return {s: {h: draw.sample(r, len(r) // 2) for h, r in hours.items()} for s, hours in landed.items()}


@dataclass(frozen=True)
class Built:
    """What was put in, and what came out.

    Args:
        warehouse: Where the tables are.
        landed: The generated rows.
        tables: The rows of every mart after the build, by name.
        checksums: Digests of the same.
    """

    warehouse: Warehouse
    landed: Landed
    tables: Mapping[str, list[Row]]
    checksums: Mapping[str, str]

    def frame(self, source_id: str) -> Frame:
        """The rows of a source, each once, as it landed first; with `event_at`, `event_date` and `landing_hour`."""
        source = load_source(source_id, INCLUDE)
        paths = data_paths(source.schema)
        key, time = source.file.deduplication_key or (), paths[source.event_time or ""]
        kept: dict[Any, Row] = {}
        for hour, rows in self.landed[source_id].items():
            for row in rows:
                at = as_moment(get(row, time))
                assert at is not None
                found = (at.date(), *(str(get(row, paths[name])) for name in key))
                kept.setdefault(found, {**row, "event_at": at, "event_date": at.date(), "landing_hour": hour})
        frame = pd.DataFrame(kept.values())
        absent = [f.name for f in source.schema.fields if f.name not in frame.columns]
        return frame.reindex(columns=[*frame.columns, *absent])


def same(rows: Sequence[Row], expected: Frame, key: Sequence[str]) -> None:
    """Hold a table's rows to a computation: the same keys, and of each the same values in the computed columns."""
    records: list[Any] = expected.to_dict("records")
    wanted = {tuple(_plain(r[k]) for k in key): r for r in records}
    found = {tuple(_plain(r[k]) for k in key): r for r in rows}
    assert len(found) == len(rows), f"{len(rows) - len(found)} keys are there twice"
    assert len(wanted) == len(expected)
    assert found.keys() == wanted.keys(), (
        len(found),
        len(wanted),
        sorted(map(str, found.keys() ^ wanted.keys()))[:5],
    )
    for place, row in wanted.items():
        for name, value in row.items():
            assert alike(found[place][name], value), (place, name, found[place][name], value)


def alike(found: Any, wanted: Any) -> bool:
    """Whether two values are the same; numbers up to rounding of floats."""
    one, other = _plain(found), _plain(wanted)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= 1e-6 * max(1.0, abs(one))
    return bool(one == other)


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and isnan(value)):
        return None
    if isinstance(value, pd.Timestamp | datetime):
        moment = pd.Timestamp(value)
        return moment.tz_localize(UTC) if moment.tzinfo is None else moment.tz_convert(UTC)
    if isinstance(value, str | bool | date | list | dict):
        return value
    return value.item() if hasattr(value, "item") else float(value)


def build(warehouse: Warehouse) -> Built:
    """Build everything at once, with the tests of these platforms' models.

    Args:
        warehouse: An empty warehouse.
    """
    landed = generated()
    _write_ledger(warehouse)
    publish(warehouse, landed)
    warehouse.build("all", *selected(), command=f"build --full-refresh --exclude {TESTED_ELSEWHERE}")
    tables = {table: warehouse.rows(ALIASES.get(table, table)) for table in TABLES}
    return Built(warehouse, landed, tables, checksums(warehouse))


def checksums(warehouse: Warehouse) -> dict[str, str]:
    """Digests of all marts."""
    return warehouse.checksums(*(ALIASES.get(table, table) for table in TABLES))


def _write_ledger(warehouse: Warehouse) -> None:
    """Three partitions of two sources as the ledger has them; one failed first, some lines were decided on."""
    for name in ("partition_ledger", "quarantine_actions"):
        warehouse.client.query_and_wait((INCLUDE / f"sql/ddl/{name}.sql").read_text("utf-8"))
    ended = ", ".join(
        f"('{source}', '{key}', TIMESTAMP '{key}:00:00+00', 'hour', '{state}', {lines}, {silver}, {quarantined}, "
        f"{repeats}, 'run', {attempt}, TIMESTAMP '2026-01-06 00:0{attempt}:00+00')"
        for source, key, state, lines, silver, quarantined, repeats, attempt in LEDGER
    )
    warehouse.client.query_and_wait(
        "INSERT INTO ops.partition_ledger (source, `partition`, landing_hour, grain, state, lines, silver, "
        f"quarantined, duplicates, run_id, attempt, recorded_at) VALUES {ended}"
    )
    acted = ", ".join(
        f"('{source}', '{key}', TIMESTAMP '{key}:00:00+00', '{action}', 'gs://raw/a.json', 1, {line}, "
        f"TIMESTAMP '2026-01-06 01:0{number}:00+00', '{number}')"
        for number, (source, key, action, line) in enumerate(DECISIONS)
    )
    warehouse.client.query_and_wait(
        "INSERT INTO ops.quarantine_actions (source, `partition`, landing_hour, action, source_object, generation, "
        f"source_line, acted_at, digest) VALUES {acted}"
    )
