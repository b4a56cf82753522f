"""Law 4's two modes and the reader against the Bigtable emulator."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from hourglass.cloud import bigtable, gcs
from hourglass.cloud.bigtable import apply, changes, declared, ensure
from hourglass.cloud.pushes import Pushes, Written
from hourglass.config.serving import FeatureSet
from hourglass.features.push import Push
from hourglass.features.read import Store
from hourglass.features.send import PushError, Sender
from hourglass.features.wire import Encoder
from hourglass.operators.push_plan import FeatureTarget, RunningPush
from hourglass.partition import Partition
from tests.faults.proxy import FaultProxy
from tests.faults.rules import Rule

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
SIX, SEVEN = Partition.parse("2021-07-21T06"), Partition.parse("2021-07-21T07")
Rows = list[dict[str, Any]]


@pytest.fixture
def table() -> Any:
    found = bigtable.instance(os.environ["HOURGLASS_PROJECT"], os.environ["HOURGLASS_BIGTABLE_INSTANCE"])
    return found.table(f"t{uuid.uuid4().hex[:12]}")


@pytest.fixture
def store(table: Any) -> Store:
    return Store(table)


def target(table: Any, partition: Partition, **settings: Any) -> FeatureTarget:
    feature_set = FeatureSet(name="users", **settings)
    assert ensure(table, feature_set) is None
    pushes = Pushes(gcs.client(), os.environ["HOURGLASS_OPS_BUCKET"], table.table_id, "users")
    return FeatureTarget(table, pushes, feature_set, partition)


def types_of(rows: Rows) -> dict[str, Any]:
    return {
        name: "STRING" if isinstance(v, str) else "INT64" for name, v in rows[0].items() if name != "entity"
    }


def begin(table: Any, partition: Partition, rows: Rows, **settings: Any) -> RunningPush:
    return target(table, partition, **settings).begin(types_of(rows))


def write(running: RunningPush, rows: Rows) -> int:
    batches = [pa.RecordBatch.from_pylist(rows)]
    return running.push.write(running.target.table, batches, lambda e: running.record(0, e))


def push(table: Any, partition: Partition, rows: Rows, **settings: Any) -> int:
    running = begin(table, partition, rows, **settings)
    return running.end(write(running, rows))


def value(store: Store, entity: str, name: str = "n") -> Any:
    found = store.features("users", entity)
    return found and found[name]


def rows_there(table: Any) -> set[bytes]:
    return {row.row_key for row in table.read_rows() if "users" in row.cells}


def test_values_have_their_types(table: Any, store: Store) -> None:
    at = datetime(2021, 7, 21, 6, 30, 0, 250, tzinfo=UTC)
    row = {
        "entity": "Zoë#1%", "n": 3, "rate": 1.0, "bot": False, "name": 'q"x', "none": None, "at": at,
        "day": date(2021, 7, 21), "price": Decimal("1.20"), "raw": b"\x00\xff", "tags": ["a", "b"],
        "items": [{"item": "a", "at": at}],
    }  # fmt: skip
    types: dict[str, Any] = {
        "n": "INT64", "rate": "FLOAT64", "bot": "BOOL", "name": "STRING", "none": "STRING", "at": "TIMESTAMP",
        "day": "DATE", "price": "NUMERIC", "raw": "BYTES", "tags": ["STRING"],
        "items": [{"item": "STRING", "at": "TIMESTAMP"}],
    }  # fmt: skip
    running = target(table, SIX).begin(types)
    running.end(write(running, [row]))
    found = store.features("users", "Zoë#1%")
    assert found is not None
    assert found.values == {k: v for k, v in row.items() if k != "entity"}
    assert isinstance(found["rate"], float)
    assert found.as_of == SIX.end
    assert store.features("users", "nobody") is None
    assert store.features("nothing", "Zoë#1%") is None


def test_an_old_hour_never_hides_a_newer_value(table: Any, store: Store) -> None:
    push(table, SEVEN, [{"entity": "a", "n": 7}])
    push(table, SIX, [{"entity": "a", "n": 6}])
    assert value(store, "a") == 7
    assert [f["n"] for f in store.history("users", "a")] == [7, 6]


def test_features_as_they_were_at_a_time(table: Any, store: Store) -> None:
    push(table, SIX, [{"entity": "a", "n": 6}])
    push(table, SEVEN, [{"entity": "a", "n": 7}])

    def n_at(moment: datetime) -> Any:
        found = store.features("users", "a", at=moment)
        return found and found["n"]

    assert n_at(SEVEN.end) == 7
    assert n_at(SEVEN.end - timedelta(milliseconds=1)) == 6
    assert n_at(SIX.end - timedelta(milliseconds=1)) is None
    with pytest.raises(ValueError, match="no time zone"):
        n_at(datetime(2021, 7, 21))


@pytest.mark.parametrize("versions", [1, 24])
def test_an_entity_that_is_gone_uncovers_the_push_before(table: Any, store: Store, versions: int) -> None:
    push(table, SIX, [{"entity": "a", "n": 6}], versions=versions)
    push(table, SEVEN, [{"entity": "a", "n": 7}, {"entity": "b", "n": 1}], versions=versions)
    assert push(table, SEVEN, [{"entity": "b", "n": 2}], versions=versions) == 1
    assert (value(store, "a"), value(store, "b")) == (6, 2)


@pytest.mark.parametrize("versions", [1, 24])
def test_a_dropped_feature_goes_and_two_pushes_never_mix(table: Any, store: Store, versions: int) -> None:
    push(table, SIX, [{"entity": "a", "n": 6, "old": 1}], versions=versions)
    push(table, SEVEN, [{"entity": "a", "n": 7, "old": 2}], versions=versions)
    push(table, SEVEN, [{"entity": "a", "n": 7}], versions=versions)
    found = store.features("users", "a")
    assert found is not None
    assert found.values == {"n": 7}
    assert store.history("users", "a")[1].values == {"n": 6, "old": 1}


def test_a_day_of_versions_is_one_row_and_a_scan_is_newest_first(table: Any, store: Store) -> None:
    hours = [Partition(datetime(2021, 7, 21, 22, tzinfo=UTC) + timedelta(hours=i)) for i in range(4)]
    for partition in (hours[2], hours[0], hours[3], hours[1]):
        push(table, partition, [{"entity": "a", "n": partition.start.hour}], versions=24)
    assert len(rows_there(table)) == 2
    assert [f["n"] for f in store.history("users", "a")] == [1, 0, 23, 22]
    assert [f["n"] for f in store.history("users", "a", limit=3)] == [1, 0, 23]
    found = store.features("users", "a", at=hours[1].end)
    assert found is not None
    assert found["n"] == 23


def test_a_killed_push_is_cleared_up_by_the_next_one(table: Any, store: Store) -> None:
    write(begin(table, SIX, [{"entity": "a", "n": 1}]), [{"entity": "a", "n": 1}, {"entity": "b", "n": 1}])
    push(table, SIX, [{"entity": "a", "n": 2}])
    assert (value(store, "a"), value(store, "b")) == (2, None)


def test_a_process_that_was_given_up_stops(table: Any) -> None:
    late = begin(table, SIX, [{"entity": "a", "n": 1}])
    push(table, SIX, [{"entity": "a", "n": 2}])
    with pytest.raises(PushError, match="a later push of 2021-07-21T06 has begun"):
        write(late, [{"entity": "a", "n": 1}])


def test_old_features_are_removed_whatever_the_order(table: Any, store: Store) -> None:
    keep = timedelta(hours=2)
    old = Partition.parse("2021-07-21T01")
    push(table, old, [{"entity": "a", "n": 1}, {"entity": "b", "n": 1}], keep=keep)
    push(table, SEVEN, [{"entity": "a", "n": 7}], keep=keep)
    assert (value(store, "a"), value(store, "b")) == (7, None)
    push(table, old, [{"entity": "b", "n": 1}], keep=keep)
    assert value(store, "b") is None
    assert len(rows_there(table)) == 1


def test_a_snapshot_shows_all_at_once(table: Any, store: Store) -> None:
    push(table, SIX, [{"entity": "a", "n": 6}, {"entity": "b", "n": 6}], mode="snapshot")
    running = begin(table, SEVEN, [{"entity": "a", "n": 7}], mode="snapshot")
    pushed = write(running, [{"entity": "a", "n": 7}])
    assert (value(store, "a"), value(store, "b")) == (6, 6)
    running.end(pushed)
    assert (value(store, "a"), value(store, "b")) == (7, None)
    assert {k: v["n"] for k, v in store.many("users", ["b", "a"]).items()} == {"a": 7}


def test_a_snapshot_that_is_pushed_again_replaces_itself(table: Any, store: Store) -> None:
    for n in (1, 2, 3):
        push(table, SIX, [{"entity": "a", "n": n}, {"entity": f"only{n}", "n": n}], mode="snapshot")
    assert (value(store, "a"), value(store, "only2"), value(store, "only3")) == (3, None, 3)
    assert len(rows_there(table)) == 4  # this one's and, for readers at work, the one before


def test_an_older_snapshot_is_not_shown_and_leaves_nothing(table: Any, store: Store) -> None:
    killed = begin(table, SIX, [{"entity": "x", "n": 1}], mode="snapshot")
    write(killed, [{"entity": "x", "n": 1}])
    slow = begin(table, SIX, [{"entity": "a", "n": 6}], mode="snapshot")
    pushed = write(slow, [{"entity": "a", "n": 6}])
    push(table, SEVEN, [{"entity": "a", "n": 7}], mode="snapshot")
    slow.end(pushed)
    assert value(store, "a") == 7
    assert target(table, SIX, mode="snapshot").outdated()
    assert len(rows_there(table)) == 1


def test_a_reader_between_two_pushes_sees_one_of_them(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pointer moves twice between a reader's look at it and its look at the rows."""
    push(table, SIX, [{"entity": "a", "n": 6}], mode="snapshot")
    store = Store(table)
    real: Callable[[str], Any] = store._head

    def slow_head(name: str) -> Any:
        head = real(name)
        for partition in (SEVEN, Partition.parse("2021-07-21T08"), Partition.parse("2021-07-21T09")):
            push(table, partition, [{"entity": "a", "n": partition.start.hour}], mode="snapshot")
        return head

    monkeypatch.setattr(Store, "_head", lambda self, name: slow_head(name))
    found = store.features("users", "a")
    assert found is not None
    assert found["n"] == 9


def test_many_entities_of_an_upsert_set(table: Any, store: Store) -> None:
    rows = [{"entity": f"user{i}", "n": i} for i in range(4_500)]
    running = begin(table, SIX, rows)
    assert write(running, rows) == 4_500
    assert store.many("users", ["user4499", "user0", "nobody"])["user4499"]["n"] == 4499
    assert set(store.many("users", ["user4499", "user0", "nobody"])) == {"user0", "user4499"}


def test_families_are_migrated(table: Any, store: Store) -> None:
    hourly = FeatureSet(name="users", versions=24)
    push(table, SIX, [{"entity": "a", "n": 6}])
    assert changes(table, declared([FeatureSet(name="users")])) == []
    refused = ensure(table, hourly)
    assert refused is not None
    assert (refused.action, refused.reason) == ("rebuild", "it keeps 1 versions, not 24")
    assert value(store, "a") == 6
    apply(table, refused)
    assert Store(table).features("users", "a") is None
    assert changes(table, declared([hourly])) == []
    assert [c.action for c in changes(table, declared([]))] == ["drop"]
    for change in changes(table, declared([])):
        apply(table, change)
    assert list(table.list_column_families()) == ["head"]


def test_a_refused_row_is_an_error_that_says_what_to_do(table: Any) -> None:
    ensure(table, FeatureSet(name="users"))
    missing = Push("no_such_family", SIX.as_of_ms, "0", {"n": "INT64"})
    with pytest.raises(
        PushError, match=r"refused 1 of 1 rows, the first '[0-9a-f]{4}#a#0'.*correct the feature set"
    ):
        missing.write(table, [pa.RecordBatch.from_pylist([{"entity": "a", "n": 1}])])


def test_the_record_outlives_a_process(table: Any) -> None:
    pushes = target(table, SIX).pushes
    assert pushes.start("2021-07-21T06", 1, Written(1, "0", ["n"]))
    assert not pushes.start("2021-07-21T06", 1, Written(1, "0", ["n"]))
    pushes.add("2021-07-21T06", 1, 0, ["b", "a\n", "Zoë"])
    (attempt,) = pushes.attempts()
    assert [list(stream) for stream in pushes.entities([attempt])] == [["Zoë", "a\n", "b"]]
    pushes.forget([attempt])
    assert pushes.attempts() == []


def test_a_server_that_does_not_answer_is_asked_again_and_then_named(table: Any) -> None:
    ensure(table, FeatureSet(name="users"))
    encoded = Encoder("users", 1, "0", {}).puts(pa.RecordBatch.from_pylist([{"entity": "a", "n": 1}]))
    with FaultProxy() as proxy:
        proxied = bigtable.instance(
            os.environ["HOURGLASS_PROJECT"], os.environ["HOURGLASS_BIGTABLE_INSTANCE"]
        )
        sender = Sender(proxied.table(table.table_id), attempts=2, base_seconds=0.01)
        proxy.add(Rule("bigtable", "lose", path="MutateRows"))
        assert sender.send([(encoded, 1)]) == 1
        assert len(proxy.seen("bigtable", "MutateRows")) == 2
        proxy.clear()
        proxy.add(Rule("bigtable", "answer", path="MutateRows", status=14, text="try later", last=0))
        with pytest.raises(PushError, match=r"1 rows were not written in 2 attempts.*UNAVAILABLE: try later"):
            sender.send([(encoded, 1)])
