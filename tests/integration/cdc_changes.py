"""Change sequences of three database tables as `silver.postgres_orders` holds them, and what they come to.

Plain Python without any of the project's SQL: the database is played, and its states are written down.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from google.cloud import bigquery

from hourglass.config import load_source

Row = dict[str, Any]
Key = tuple[str, ...]

TABLES: dict[str, tuple[str, ...]] = {
    "orders": ("order_id",),
    "order_items": ("order_id", "line_number"),
    "customers": ("customer_id",),
}
START = datetime(2026, 1, 4, 22, tzinfo=UTC)  # the changes run over midnight


@dataclass
class Change:
    """One change of a row.

    Args:
        table: The table.
        kind: INSERT, UPDATE or DELETE.
        at: When it was committed.
        position: Its place in the log; None for a backfilled row.
        row: The row after it; the key of a deleted one.
        uuid: What Datastream calls it.
    """

    table: str
    kind: str
    at: datetime
    position: int | None
    row: Row
    uuid: str

    @property
    def key(self) -> Key:
        """The primary key's values."""
        return tuple(str(self.row[name]) for name in TABLES[self.table])


@dataclass
class Database:
    """A database that is played, and writes its log.

    Args:
        draw: Where random values come from.
    """

    draw: random.Random
    now: datetime = START
    position: int = 0x16_0000_0000
    log: list[Change] = field(default_factory=list)
    rows: dict[tuple[str, Key], Row] = field(default_factory=dict)
    history: dict[tuple[str, Key], list[Row]] = field(default_factory=lambda: defaultdict(list))

    def backfill(self, count: int) -> None:
        """Rows that were there before the stream began."""
        for number in range(count):
            self._write("orders", "INSERT", self._order(f"o{number}"), None)
        self._commit()

    def play(self, transactions: int) -> None:
        """Commit that many transactions of one to three changes."""
        for _ in range(transactions):
            self.now += timedelta(milliseconds=self.draw.randrange(1, 150_000))
            for _ in range(self.draw.randint(1, 3)):
                self._any_change()
            self._commit()

    def _any_change(self) -> None:
        table = self.draw.choice(list(TABLES))
        row = {"orders": self._order, "order_items": self._item, "customers": self._customer}[table](None)
        there = (table, tuple(str(row[name]) for name in TABLES[table])) in self.rows
        kind = "INSERT" if not there else self.draw.choice(["UPDATE", "UPDATE", "DELETE"])
        if kind == "DELETE":
            row = {name: row[name] for name in TABLES[table]}
        self.position += self.draw.choice([8, 0x98, 0xF000_0000])
        self._write(table, kind, row, self.position)

    def _write(self, table: str, kind: str, row: Row, position: int | None) -> None:
        change = Change(table, kind, self.now, position, row, self._uuid())
        self.log.append(change)
        if kind == "DELETE":
            del self.rows[table, change.key]
        else:
            self.rows[table, change.key] = row

    def _commit(self) -> None:
        """Write down the states that can be seen from now on."""
        touched = {(c.table, c.key): c for c in self.log if c.at == self.now}
        for place, last in touched.items():
            versions, now = self.history[place], self.rows.get(place)
            if versions and versions[-1]["valid_to"] is None:
                versions[-1].update(valid_to=self.now, is_current=False, closed_by=last.kind)
            if now is not None:
                opened = {
                    "valid_from": self.now,
                    "valid_to": None,
                    "is_current": True,
                    "opened_by": last.kind,
                }
                number = {"version": len(versions) + 1, "closed_by": None, "change_id": last.uuid}
                versions.append({**typed(last.table, now), **opened, **number})

    def _order(self, order_id: str | None) -> Row:
        return {
            "order_id": order_id or f"o{self.draw.randrange(6)}",
            "customer_id": f"c{self.draw.randrange(4)}",
            "status": self.draw.choice(["pending", "shipped", None]),
            "total_amount": str(Decimal(self.draw.randrange(100_000)) / 100),
            "currency": "EUR",
            "ordered_at": f"{START:%Y-%m-%dT%H:%M:%S.%fZ}",
            "updated_at": f"{self.now:%Y-%m-%dT%H:%M:%S.%fZ}",
        }

    def _item(self, _: None) -> Row:
        return {
            "order_id": f"o{self.draw.randrange(3)}",
            "line_number": self.draw.randint(1, 2),
            "product_id": f"p{self.draw.randrange(9)}",
            "quantity": self.draw.randint(1, 5),
            "unit_price": self.draw.choice([1.5, 20]),
        }

    def _customer(self, _: None) -> Row:
        return {
            "customer_id": f"c{self.draw.randrange(4)}",
            "email": self.draw.choice(["a@example.com", "b@example.com"]),
            "full_name": 'Zoë "Z" O\'Neill',
            "country": "DE",
            "segment": None,
            "created_at": f"{START:%Y-%m-%dT%H:%M:%SZ}",
            "updated_at": f"{self.now:%Y-%m-%dT%H:%M:%S.%fZ}",
        }

    def _uuid(self) -> str:
        return f"{self.draw.getrandbits(128):032x}"


def typed(table: str, row: Row) -> Row:
    """A row as BigQuery gives it back."""
    makers = {
        "total_amount": lambda v: Decimal(str(v)),
        "unit_price": lambda v: Decimal(str(v)),
        "ordered_at": datetime.fromisoformat,
        "created_at": datetime.fromisoformat,
        "updated_at": datetime.fromisoformat,
    }
    return {name: makers[name](value) if name in makers else value for name, value in row.items()}


def delivered(draw: random.Random, log: Iterable[Change], hours: int) -> dict[datetime, list[Row]]:
    """The changes as they land: some twice, some under another uuid, many in a later hour, in any order.

    Args:
        draw: Where random values come from.
        log: The changes.
        hours: How many landing hours there are from START on.
    """
    landed: dict[datetime, list[Row]] = {START + timedelta(hours=n): [] for n in range(hours)}
    for change in log:
        own = int((change.at - START) / timedelta(hours=1))
        for copy in range(draw.choice([1, 1, 1, 2, 3])):
            hour = START + timedelta(hours=draw.randint(min(own, hours - 1), hours - 1))
            again = copy and change.position is not None and draw.random() < 0.5
            # Greater than the first one's, so that the first is what a version names.
            uuid = f"z{change.uuid[1:]}" if again else change.uuid
            if all(row["uuid"] != uuid for row in landed[hour]):  # refine removes those
                landed[hour].append(silver_row(change, uuid, hour))
    for hour, rows in landed.items():
        draw.shuffle(rows)
        for number, row in enumerate(rows, 1):
            row.update(source_line=number, source_object=f"gs://hourglass-raw/{hour:%H}/{number % 2}.json.gz")
    return landed


def in_one_hour(landed: dict[datetime, list[Row]]) -> list[Row]:
    """All deliveries as if they had landed in the first hour, where refine keeps one of each uuid."""
    first = {row["uuid"]: row for rows in landed.values() for row in rows}
    return [{**row, "landing_hour": f"{START:%Y-%m-%dT%H:%M:%SZ}"} for row in first.values()]


def silver_row(change: Change, uuid: str, hour: datetime) -> Row:
    """One delivery of a change as a row of `silver.postgres_orders`."""
    place = change.position
    lsn = "" if place is None else f"{place >> 32:X}/{place & 0xFFFFFFFF:08X}"
    return {
        "uuid": uuid,
        "read_timestamp": f"{change.at + timedelta(seconds=5):%Y-%m-%dT%H:%M:%S.%fZ}",
        "source_timestamp": f"{change.at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "object": f"public_{change.table}",
        "read_method": "postgresql-backfill" if place is None else "postgresql-cdc",
        "stream_name": "stream",
        "sort_keys": json.dumps([int(change.at.timestamp() * 1000), lsn]),
        "source_metadata": {
            "schema": "public",
            "table": change.table,
            "is_deleted": change.kind == "DELETE",
            "change_type": change.kind,
            "lsn": lsn,
            "primary_keys": list(TABLES[change.table]),
        },
        "payload": json.dumps(change.row),
        "lsn_position": place,
        "landing_hour": f"{hour:%Y-%m-%dT%H:%M:%SZ}",
        "event_date": f"{change.at:%Y-%m-%d}",
    }


def current(database: Database, table: str) -> Iterator[Row]:
    """The table as it is at the end."""
    for (name, _), versions in database.history.items():
        if name == table and versions and versions[-1]["is_current"]:
            columns = [c for c in versions[-1] if c not in _HISTORY]
            last = versions[-1]
            yield {
                **{c: last[c] for c in columns},
                "changed_at": last["valid_from"],
                "version": last["version"],
            }


_HISTORY = ("valid_from", "valid_to", "is_current", "version", "opened_by", "closed_by", "change_id")


def history(database: Database, table: str) -> Iterator[Row]:
    """All versions of the table's rows."""
    for (name, _), versions in database.history.items():
        if name == table:
            yield from versions


def create_table(client: bigquery.Client) -> None:
    """Create the datasets and an empty `silver.postgres_orders`, as the publish stage would."""
    for dataset in ("silver", "staging", "gold"):
        client.create_dataset(dataset, exists_ok=True)
    client.delete_table("silver.postgres_orders", not_found_ok=True)
    columns = [bigquery.SchemaField.from_api_repr(c) for c in load_source("postgres_orders").columns()]
    table = bigquery.Table(f"{client.project}.silver.postgres_orders", columns)
    table.time_partitioning = bigquery.TimePartitioning("HOUR", "landing_hour")
    table.require_partition_filter = True
    client.create_table(table)


def publish(client: bigquery.Client, hour: datetime, rows: list[Row]) -> None:
    """Replace the partition of one landing hour, as the publish stage does."""
    columns = client.get_table("silver.postgres_orders").schema
    config = bigquery.LoadJobConfig(schema=columns, write_disposition="WRITE_TRUNCATE")
    client.load_table_from_json(rows, f"silver.postgres_orders${hour:%Y%m%d%H}", job_config=config).result()
