"""Changes of a shop's database as Datastream writes them: a row is inserted before it changes or goes.

The changes of one partition form one consistent log: positions (lsn) rise with the commit times, an order and
its items are inserted by one transaction, and nothing changes after it was deleted. The files hold them in
another order, since Datastream writes each table for itself and delivers some changes late.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from hourglass.generate import pools
from hourglass.generate.draw import Draw
from hourglass.generate.record import iso
from hourglass.partition import Partition

Row = dict[str, Any]

_STREAM = "projects/123456789/locations/us-central1/streams/shop-postgresql"
_KEYS = {"orders": ["order_id"], "order_items": ["order_id", "line_number"], "customers": ["customer_id"]}
_SCHEMA_KEYS = {
    "orders": "5f1d7a0c9b3e4d82a6c417f0e9d8b3521c6a7e40",
    "order_items": "b83c02e5f47d4a19906e8d3b5c1f7a2e4d690b18",
    "customers": "0c9e6b71d2a84f35b7e0134a9d58c6f2e7b34d05",
}
_NEXT = {"pending": "processing", "processing": "shipped", "shipped": "delivered"}
_BYTES_OF_A_RECORD = 0x180
_SWAPS_WITHIN = 40  # how far from its place in the log a change may be delivered


def _keyless(record: Row) -> None:
    record["payload"].pop(_KEYS[record["source_metadata"]["table"]][0])


def _delete_that_is_an_update(record: Row) -> None:
    record["source_metadata"]["is_deleted"] = not record["source_metadata"]["is_deleted"]


def _amount_in_words(record: Row) -> None:
    record["payload"]["quantity"] = "a dozen"


def _time_in_words(record: Row) -> None:
    record["payload"]["updated_at"] = "this morning"


BREAK = {
    "deletion_is_a_delete": _delete_that_is_an_update,
    "payload_has_key": _keyless,
    "payload_numbers_fit": _amount_in_words,
    "payload_times_fit": _time_in_words,
}


def table_of(record: Row) -> str:
    """The table in whose folder a change lies, whatever a spoilt record says of itself."""
    return next(table for table, key in _SCHEMA_KEYS.items() if key == record["schema_key"])


def rows(draw: Draw, partition: Partition, count: int) -> Iterator[Row]:
    """Distinct changes, most of them in the log's order.

    Args:
        draw: Where random values come from.
        partition: The partition they land in.
        count: How many.
    """
    drafts: list[Draft] = []
    while len(drafts) < count:
        drafts += _story(draw)
    drafts.sort(key=lambda draft: draft.at)
    changes = list(islice(_in_log_order(draw, drafts), count))
    # Taken in the order of places that are drawn a little off: late ones come after later ones.
    places = [place + (draw.whole(1, _SWAPS_WITHIN) if draw.chance(0.05) else 0) for place in range(count)]
    yield from (changes[place] for place in sorted(range(count), key=lambda place: (places[place], place)))


@dataclass
class Draft:
    """What happens to a row, before it has its place in the log.

    Args:
        at: When the transaction was committed.
        table: The table.
        kind: INSERT, UPDATE or DELETE.
        payload: The row after it; of a deleted one its key only.
    """

    at: datetime
    table: str
    kind: str
    payload: Row = field(default_factory=dict)


def _story(draw: Draw) -> Iterator[Draft]:
    """What happens to one customer or one order within the partition, each change after the one before."""
    return _customer(draw) if draw.chance(0.15) else _order(draw)


def _customer(draw: Draw) -> Iterator[Draft]:
    """A customer of the other sources changes, or a new one signs up and perhaps leaves again."""
    person, at, is_new = pools.busy_person(draw), draw.moment(), draw.chance(0.5)
    row = {
        "customer_id": draw.uuid() if is_new else person.id,
        "email": f"new.{person.email}" if is_new else person.email,
        "full_name": f"{person.first_name} {person.last_name}",
        "country": person.country,
        "segment": "new" if is_new else draw.choice(("regular", "vip")),
        "created_at": iso(at if is_new else at - timedelta(days=draw.whole(1, 900))),
        "updated_at": iso(at),
    }
    yield Draft(at, "customers", "INSERT" if is_new else "UPDATE", dict(row))
    while draw.chance(0.4):
        at = draw.after(at, 600)
        row.update(segment=draw.choice(("regular", "vip")), updated_at=iso(at))
        yield Draft(at, "customers", "UPDATE", dict(row))
    if is_new and draw.chance(0.1):
        yield Draft(draw.after(at, 600), "customers", "DELETE", {"customer_id": row["customer_id"]})


def _order(draw: Draw) -> Iterator[Draft]:
    at, order_id = draw.moment(), draw.uuid()
    products = [pools.popular_product(draw) for _ in range(draw.weighted({1: 55, 2: 25, 3: 14, 5: 6}))]
    items: list[Row] = [
        {
            "order_id": order_id,
            "line_number": number,
            "product_id": product.id,
            "quantity": draw.weighted({1: 80, 2: 15, 3: 5}),
            "unit_price": str(product.price),
        }
        for number, product in enumerate(products, 1)
    ]
    total = sum(
        (product.price * item["quantity"] for product, item in zip(products, items, strict=True)), Decimal()
    )
    row = {
        "order_id": order_id,
        "customer_id": pools.busy_person(draw).id,
        "status": "pending",
        "total_amount": str(total),
        "currency": "USD",
        "ordered_at": iso(at),
        "updated_at": iso(at),
    }
    yield Draft(at, "orders", "INSERT", dict(row))
    yield from (Draft(at, "order_items", "INSERT", item) for item in items)
    yield from _progress(draw, at, row, items)


def _progress(draw: Draw, at: datetime, row: Row, items: list[Row]) -> Iterator[Draft]:
    while draw.chance(0.5) and row["status"] in _NEXT:
        at = draw.after(at, 500)
        row.update(status=_NEXT[row["status"]], updated_at=iso(at))
        yield Draft(at, "orders", "UPDATE", dict(row))
    if row["status"] == "pending" and draw.chance(0.08):
        at = draw.after(at, 500)
        for item in items:
            key = {name: item[name] for name in _KEYS["order_items"]}
            yield Draft(at, "order_items", "DELETE", key)
        yield Draft(at, "orders", "DELETE", {"order_id": row["order_id"]})


def _in_log_order(draw: Draw, drafts: list[Draft]) -> Iterator[Row]:
    """The changes with their positions; drafts are sorted by their time."""
    start = draw.partition.start.timestamp()
    # A log grows by far less than this in a second, so that the next partition's positions are higher.
    position = int(start) * 0x100000 % 0x7FFFFFFF00000000
    transaction, before = int(start) % 1_000_000_000, None
    for draft in drafts:
        position += _BYTES_OF_A_RECORD + 8 * draw.whole(0, 40)
        transaction += draft.at != before
        before = draft.at
        yield _change(draw, draft, position, transaction)


def _change(draw: Draw, draft: Draft, position: int, transaction: int) -> Row:
    lsn = f"{position >> 32:X}/{position & 0xFFFFFFFF:08X}"
    return {
        "uuid": draw.uuid(),
        "read_timestamp": iso(draft.at + timedelta(milliseconds=draw.whole(500, 20_000))),
        "source_timestamp": iso(draft.at),
        "object": f"public_{draft.table}",
        "read_method": "postgresql-cdc",
        "stream_name": _STREAM,
        "schema_key": _SCHEMA_KEYS[draft.table],
        "sort_keys": [int(draft.at.timestamp() * 1000), lsn],
        "source_metadata": {
            "schema": "public",
            "table": draft.table,
            "is_deleted": draft.kind == "DELETE",
            "change_type": draft.kind,
            "tx_id": transaction,
            "lsn": lsn,
            "primary_keys": _KEYS[draft.table],
        },
        "payload": draft.payload,
    }
