"""Sources, rows and expected results for the test of compiled models: everything computed in plain Python."""

from __future__ import annotations

import json
import random
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from hourglass.config.source import Source

DBT = Path(__file__).resolve().parents[2] / "include/dbt"
Row = dict[str, Any]
HOURS = [f"2021-07-21T{hour:02d}:00:00Z" for hour in (5, 6, 7)]
SYSTEMS = ("android", "ios", "web", None)

_FIELDS: dict[str, list[Row]] = {
    "buyers": [
        {"name": "customer_id", "type": "STRING", "mode": "REQUIRED", "description": "The buyer"},
        {"name": "region", "type": "STRING", "description": "Where they live"},
        {"name": "email", "type": "STRING", "description": "Mail", "classification": "pii"},
        {"name": "amount", "type": "NUMERIC", "description": "Has the name of a column of the others"},
        {"name": "updated_at", "type": "TIMESTAMP", "mode": "REQUIRED", "description": "When it became so"},
    ]
}
_EVENTS: list[Row] = [
    {"name": "sale_id", "type": "STRING", "description": "The sale; sometimes not known"},
    {
        "name": "customer_id",
        "type": "STRING",
        "mode": "REQUIRED",
        "description": "Who",
        "classification": "sensitive",
    },
    {
        "name": "amount",
        "type": "NUMERIC",
        "mode": "REQUIRED",
        "description": "How much",
        "classification": "pii",
    },
    {
        "name": "device",
        "type": "RECORD",
        "description": "On what",
        "fields": [{"name": "os", "type": "STRING"}, {"name": "group", "type": "STRING"}],
    },
    {
        "name": "items",
        "type": "RECORD",
        "mode": "REPEATED",
        "description": "Bought",
        "fields": [{"name": "sku", "type": "STRING"}, {"name": "gift", "type": "BOOL"}],
    },
    {"name": "sold_at", "type": "TIMESTAMP", "mode": "REQUIRED", "description": "When"},
]
_STEPS: dict[str, list[Row]] = {
    "sales": [
        {"join": {"table": "gold.buyers", "on": "customer_id"}},
        {
            "aggregate": {
                "group_by": ["customer_id", "region", "device.os", "date"],
                "metrics": [
                    "sum(amount) as total_amount",
                    "count(*) as sale_count",
                    "count(distinct sale_id) as sales",
                    "countif(amount > 5) as dear",
                    "max(sold_at) as last_sold_at",
                    "cast(max(if(device.os = 'ios', amount, null)) as NUMERIC) as dearest_ios",
                ],
            }
        },
    ],
    "hourly": [
        {"aggregate": {"group_by": ["device.group", "hour"], "metrics": ["count(*) as sale_count"]}},
    ],
    "totals": [
        {
            "aggregate": {
                "group_by": ["customer_id"],
                "metrics": ["sum(amount) as total_amount", "count(*) as n"],
            }
        },
    ],
    "detail": [{"join": {"table": "silver.buyers", "on": ["customer_id"], "type": "inner"}}],
}


def write_project(root: Path) -> Path:
    """Write sources, schemas and a dbt project without models; return the include folder."""
    include = root / "include"
    (include / "sources").mkdir(parents=True)
    for name in ("macros", "tests"):
        shutil.copytree(DBT / name, include / "dbt" / name)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(DBT / name, include / "dbt" / name)
    (include / "dbt" / "models").mkdir()
    _write_source(include, "buyers", _FIELDS["buyers"], ["customer_id"], [], {})
    for source_id, steps in _STEPS.items():
        serving = {"reporting": True, "ml_features": source_id in ("sales", "detail")}
        _write_source(include, source_id, _EVENTS, ["sale_id"], steps, serving)
    return include


def _write_source(
    include: Path, source_id: str, fields: list[Row], key: list[str], gold: list[Row], serving: Row
) -> None:
    schema = {"source_id": source_id, "version": "1.0", "fields": fields}
    (include / "schemas").mkdir(exist_ok=True)
    (include / "schemas" / f"{source_id}.json").write_text(json.dumps(schema))
    source = {
        "source_id": source_id,
        "display_name": source_id,
        "description": f"The {source_id} of a small shop, as they are sent to us.",
        "ingestion": {
            "pattern": "batch_file",
            "location": f"gs://raw/{source_id}/",
            "path_template": "hive",
            "schedule": "0 * * * *",
            "format": "json",
        },
        "schema": {"file": f"schemas/{source_id}.json", "max_lateness": "36h"},
        "processing": {"bronze_to_silver": [{"deduplication": {"key": key}}], "silver_to_gold": gold},
        "serving": serving,
    }
    (include / "sources" / f"{source_id}.yaml").write_text(json.dumps(source))


def sales(seed: int) -> dict[str, list[Row]]:
    """Silver rows by landing hour: late ones, and such as were delivered in several hours with other values."""
    draw = random.Random(seed)
    landed: dict[str, list[Row]] = {hour: [] for hour in HOURS}
    for number in range(60):
        hours = sorted(draw.sample(HOURS, draw.choice([1, 1, 2, 3])))
        late = draw.choice([0, 0, 0, 1, 9, 30])
        sold_at = (
            datetime.fromisoformat(hours[0]) - timedelta(hours=late) + timedelta(minutes=draw.randrange(60))
        )
        for hour in hours:
            row = {
                "sale_id": f"s{number}",
                "customer_id": f"c{draw.randrange(6)}",
                "amount": str(Decimal(draw.randrange(1, 1000)) / 100),
                "device": {"os": draw.choice(SYSTEMS), "group": draw.choice("ab")},
                "items": [{"sku": "x", "gift": True}] * draw.randrange(3),
                "sold_at": sold_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
            landed[hour].append(row)
    for hour in HOURS[:2]:  # twice the same row without a key: two rows
        unknown = {**landed[hour][0], "sale_id": None, "sold_at": hour}
        landed[hour] += [unknown, unknown]
    return {hour: _landed(rows, hour, "sold_at") for hour, rows in landed.items()}


def buyers() -> dict[str, list[Row]]:
    """Profiles by landing hour; c5 has none, and an old profile of c0 lands after the current one."""
    hour = HOURS[0]
    rows = [
        {
            "customer_id": f"c{n}",
            "region": "north" if n % 2 else "south",
            "updated_at": "2021-07-21T01:00:00Z",
        }
        for n in range(5)
    ]
    moved = {"customer_id": "c1", "region": "west", "updated_at": "2021-07-21T06:30:00Z"}
    old = {"customer_id": "c0", "region": "nowhere", "updated_at": "2021-07-20T23:00:00Z"}
    return {hour: _landed(rows, hour, "updated_at"), HOURS[1]: _landed([moved, old], HOURS[1], "updated_at")}


def _landed(rows: list[Row], hour: str, stamp: str) -> list[Row]:
    system = {"landing_hour": hour, "source_object": f"gs://raw/{hour}", "unknown_fields": None}
    return [
        {**row, **system, "event_date": row[stamp][:10], "source_line": line}
        for line, row in enumerate(rows, 1)
    ]


def create_silver(client: bigquery.Client, source: Source) -> None:
    """Create an empty published table, as the publish stage does."""
    client.create_dataset("silver", exists_ok=True)
    table = bigquery.Table(f"{client.project}.silver.{source.id}", schema=source.columns())
    table.time_partitioning = bigquery.TimePartitioning(type_="HOUR", field="landing_hour")
    table.require_partition_filter = True
    client.delete_table(table, not_found_ok=True)
    client.create_table(table)


def publish(client: bigquery.Client, source_id: str, hour: str, rows: list[Row]) -> str:
    """Replace a landing hour; return the event dates to recompute, as the DAG passes them on."""
    decorator = datetime.fromisoformat(hour).strftime("%Y%m%d%H")
    schema = client.get_table(f"silver.{source_id}").schema
    config = bigquery.LoadJobConfig(schema=schema, write_disposition="WRITE_TRUNCATE")
    client.load_table_from_json(rows, f"silver.{source_id}${decorator}", job_config=config).result()
    return ",".join(sorted({row["event_date"] for row in rows}))


def first_deliveries(landed: dict[str, list[Row]]) -> list[Row]:
    """Every sale of a date once, where it landed first."""
    seen: set[tuple[str, str]] = set()
    found = []
    for hour in sorted(landed):
        for row in landed[hour]:
            key = (row["event_date"], row["sale_id"])
            if row["sale_id"] is None or key not in seen:
                found.append(row)
            seen.add(key)
    return found


def regions(landed: dict[str, list[Row]]) -> dict[str, str]:
    """The region of every buyer, by the latest of their profiles' own times."""
    rows = [row for rows in landed.values() for row in rows]
    return {row["customer_id"]: row["region"] for row in sorted(rows, key=lambda r: r["updated_at"])}


def expected_sales(rows: Iterable[Row], region: dict[str, str]) -> list[Row]:
    """gold.sales, by hand."""
    groups: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        customer = row["customer_id"]
        groups[customer, region.get(customer), row["device"]["os"], row["event_date"]].append(row)
    return list(_sales_rows(groups))


def _sales_rows(groups: dict[tuple[Any, ...], list[Row]]) -> Iterator[Row]:
    for (customer, region, system, date), rows in groups.items():
        amounts = [Decimal(row["amount"]) for row in rows]
        yield {
            "customer_id": customer,
            "region": region,
            "device_os": system,
            "date": date,
            "total_amount": sum(amounts),
            "sale_count": len(rows),
            "sales": len({row["sale_id"] for row in rows} - {None}),
            "dear": sum(amount > 5 for amount in amounts),
            "last_sold_at": max(row["sold_at"] for row in rows),
            "dearest_ios": max(amounts) if system == "ios" else None,
        }
