"""What `make demo-day` shows: what was put in, what the daily DAG did, and the marts' headline numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Headline:
    """One number of the marts.

    Args:
        platform: Whose it is.
        says: What it says.
        sql: The query of one value; @day is the day.
    """

    platform: str
    says: str
    sql: str


def _of(platform: str, *numbers: tuple[str, str]) -> list[Headline]:
    return [Headline(platform, says, f"SELECT {sql}") for says, sql in numbers]


_DAY = "WHERE event_date = @day"
HEADLINES = [
    *_of(
        "photo_sharing",
        ("active users (exact)", f"COUNT(*) FROM gold.daily_user_metrics {_DAY}"),
        ("active users (sketch)", f"HLL_COUNT.MERGE(users_sketch) FROM gold.mv_daily_active_users {_DAY}"),
        ("sessions", f"COUNT(*) FROM gold.fct_user_sessions {_DAY}"),
        ("sessions over midnight", f"COUNTIF(crosses_midnight) FROM gold.fct_user_sessions {_DAY}"),
        (
            "mean session, seconds",
            f"ROUND(AVG(duration_milliseconds) / 1000) FROM gold.fct_user_sessions {_DAY}",
        ),
        ("unified events (GA4)", f"COUNTIF(origin = 'ga4') FROM gold.fct_unified_events {_DAY}"),
        ("revenue, USD", f"ROUND(SUM(revenue), 2) FROM gold.fct_user_sessions {_DAY}"),
        ("recommendations", f"COUNT(*) FROM gold.fct_recommendations {_DAY}"),
        ("rows to train on (v2)", f"COUNT(*) FROM gold.training_photo_interest_v2 {_DAY}"),
    ),
    *_of(
        "startup",
        ("active users", f"MAX(daily_active_users) FROM gold.business_metrics {_DAY}"),
        ("sessions", f"MAX(sessions) FROM gold.business_metrics {_DAY}"),
        ("conversion", f"ROUND(MAX(conversion), 4) FROM gold.business_metrics {_DAY}"),
        ("revenue, USD", f"ROUND(MAX(revenue_usd), 2) FROM gold.business_metrics {_DAY}"),
    ),
    *_of(
        "shop",
        ("orders", f"COUNT(*) FROM gold.fct_orders {_DAY}"),
        ("customers", "COUNT(*) FROM gold.customer_lifetime_value"),
        ("mean lifetime value (90 d)", "ROUND(AVG(lifetime_value_90d), 2) FROM gold.customer_lifetime_value"),
        ("sessions with an addition", f"SUM(added_sessions) FROM gold.fct_activity_funnel {_DAY}"),
        ("products that run low", "COUNT(*) FROM gold.inventory_low_stock"),
    ),
    *_of(
        "lambda_medallion",
        ("visitors", f"MAX(visitors) FROM gold.fct_daily_summary {_DAY}"),
        ("conversion of sessions", f"ROUND(MAX(session_conversion), 4) FROM gold.fct_daily_summary {_DAY}"),
        ("revenue, USD", f"ROUND(MAX(revenue), 2) FROM gold.fct_daily_summary {_DAY}"),
        ("buyers (RFM)", "COUNT(*) FROM gold.fct_user_purchases"),
        ("customers' versions (SCD2)", "COUNT(*) FROM gold.dim_customers_scd2"),
        ("tickets", f"COUNT(*) FROM gold.fct_support_tickets {_DAY}"),
        (
            "quarantined lines, all sources",
            "SUM(quarantined) FROM gold.daily_quarantine WHERE landing_date = @day",
        ),
    ),
    *_of(
        "configured",
        ("customers", "COUNT(*) FROM gold.customer_360"),
        ("paid, USD", "ROUND(SUM(paid_usd), 2) FROM gold.customer_360"),
        ("late shipments", "SUM(late_shipments) FROM gold.customer_360"),
        ("products sold", "COUNTIF(orders > 0) FROM gold.product_analytics"),
    ),
]


def table_of_lines(lines: Sequence[dict[str, Any]]) -> Table:
    """What was generated of each source, and what became of it.

    Args:
        lines: The counts of each source.
    """
    table = Table(title="\nthe lines of the day", title_justify="left")
    for heading in ("platform", "source"):
        table.add_column(heading)
    counted = ("partitions", "lines", "late", "duplicates", "quarantined", "silver")
    for heading in counted:
        table.add_column("published" if heading == "silver" else heading, justify="right")
    for row in lines:
        table.add_row(row["platform"], row["source"], *(f"{row[name]:,}" for name in counted))
    table.add_section()
    table.add_row("", "all", *(f"{sum(row[name] for row in lines):,}" for name in counted))
    return table


def show(console: Console, numbers: dict[str, Any]) -> None:
    """Print the last screen.

    Args:
        console: Where to print.
        numbers: What `.local/demo-day.json` has.
    """
    console.print(_table_of_tasks(numbers))
    console.print(_table_of_marts(numbers["marts"]))
    user = numbers["user"]
    console.print(f"\n[bold]Bigtable[/] user_features, [bold]{user['user_id']}[/]:")
    console.print("  " + "  ".join(f"{k}={v}" for k, v in user["features"].items()), markup=False)
    console.print("user_recommendations, the best first: " + ", ".join(user["recommendations"]), markup=False)
    took = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in numbers["seconds"].items())
    console.print(f"\nTimes: {took}. The numbers are in .local/demo-day.json.")


def _table_of_tasks(numbers: dict[str, Any]) -> Table:
    dbt = numbers["dbt"]
    table = Table(
        title=f"\nthe daily DAG of {numbers['day']}: {dbt['models']} models, {dbt['tests']} tests passed, "
        f"{dbt['warnings']} warned",
        title_justify="left",
    )
    table.add_column("stage")
    for heading in ("tasks", "seconds"):
        table.add_column(heading, justify="right")
    table.add_column("slowest task")
    for row in numbers["tasks"]:
        slowest = f"{row['slowest']} ({row['slowest_seconds']:.1f} s)"
        table.add_row(row["stage"], str(row["tasks"]), f"{row['seconds']:.1f}", slowest)
    return table


def _table_of_marts(marts: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="\nwhat the marts say", title_justify="left")
    table.add_column("platform")
    table.add_column("number")
    table.add_column("value", justify="right")
    last = ""
    for row in marts:
        if last and last != row["platform"]:
            table.add_section()
        table.add_row(row["platform"] if row["platform"] != last else "", row["says"], _shown(row["value"]))
        last = row["platform"]
    return table


def _shown(value: Any) -> str:
    """A number as people read it; a sum of nothing is nothing."""
    return "none" if value is None else f"{value:,}"
