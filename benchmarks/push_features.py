"""Pushing features to Bigtable: rows a second beside the client library's batcher and Feast's way, and memory.

All three write the same values of 50 features to the same emulator in one run, and are read back. Feast's way is
that of its Bigtable online store: rows built cell by cell, sent by ten threads in requests of at most 50,000
mutations; its Value message is stood in for by protobuf's own. Then a million rows are pushed by a process whose
memory is watched. `python -m benchmarks.push_features [ROWS]`.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
from google.cloud.bigtable import Client
from google.cloud.bigtable.column_family import MaxVersionsGCRule
from google.cloud.bigtable.row_filters import CellsRowLimitFilter
from google.protobuf.struct_pb2 import Value

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "plugins"))

from hourglass.features.push import Push  # noqa: E402
from hourglass.features.read import Store  # noqa: E402
from hourglass.features.wire import ENTITY  # noqa: E402
from hourglass.partition.features import (  # noqa: E402
    Generation,
    Head,
    cell_value,
    row_key,
    suffix,
)

ROWS, FEATURES, MILLION = 10_000, 50, 1_000_000
AS_OF = 1_626_850_800_000
FAMILY = "users"
BATCH = 10_000
FEAST_MUTATIONS, FEAST_THREADS = 50_000, 10
BAR = 8.0
Rows = list[dict[str, Any]]


def rows_of(count: int, features: int, first: int = 0) -> Rows:
    """Rows of whole numbers, fractions, truth values and words, the same at each call."""
    dice = random.Random(first)
    kinds: list[Callable[[], Any]] = [
        lambda: dice.randrange(1_000_000),
        dice.random,
        lambda: dice.randrange(2) == 0,
        lambda: f"segment {dice.randrange(500)}",
    ]
    return [
        {ENTITY: f"user{first + i}", **{f"feature_{n:02}": kinds[n % 4]() for n in range(features)}}
        for i in range(count)
    ]


def batcher(table: Any, rows: Rows) -> None:
    """The client library's own batcher."""
    with table.mutations_batcher() as found:
        for row in rows:
            direct = table.direct_row(row_key(row[ENTITY], suffix(AS_OF)))
            for name, value in row.items():
                if name != ENTITY:
                    direct.set_cell(FAMILY, name.encode(), cell_value(value))
            found.mutate(direct)


def feast(table: Any, rows: Rows) -> None:
    """What Feast's Bigtable online store does."""
    per_write = FEAST_MUTATIONS // (FEATURES + 1)

    def write(some: Rows) -> None:
        directs = []
        for row in some:
            direct = table.direct_row(row_key(row[ENTITY], suffix(AS_OF)))
            for name, value in row.items():
                if name != ENTITY:
                    direct.set_cell(FAMILY, name.encode(), _message(value).SerializeToString())
            direct.set_cell(FAMILY, b"event_ts", b"2021-07-21T07:00:00+00:00")
            directs.append(direct)
        table.mutate_rows(directs)

    with ThreadPoolExecutor(FEAST_THREADS) as pool:
        list(pool.map(write, (rows[i : i + per_write] for i in range(0, len(rows), per_write))))


def _message(value: Any) -> Value:
    if isinstance(value, bool):
        return Value(bool_value=value)
    return Value(string_value=value) if isinstance(value, str) else Value(number_value=value)


def ours(table: Any, rows: Rows) -> None:
    """The worker's engine; turning rows into batches is BigQuery's client's work, but is counted here."""
    batches = (pa.RecordBatch.from_pylist(rows[i : i + BATCH]) for i in range(0, len(rows), BATCH))
    _push().write(table, batches)


def _push() -> Push:
    return Push(FAMILY, AS_OF, suffix(AS_OF), {})


def make_table(name: str) -> Any:
    """An empty table of its own for each way."""
    table = Client(project="bench", admin=True).instance("bench").table(name)
    table.create(column_families={FAMILY: MaxVersionsGCRule(1), "head": MaxVersionsGCRule(1)})
    return table


def measure(way: Callable[[Any, Rows], None], rows: Rows, emulator: psutil.Process) -> float:
    """Write the rows, check that they are there, and print and return the rows a second."""
    table = make_table(way.__name__)
    way(make_table(f"{way.__name__}_warm"), rows[:200])  # connections and imports, which no row pays for
    gc.collect()
    cpu, theirs, begin = time.process_time(), sum(emulator.cpu_times()[:2]), time.monotonic()
    way(table, rows)
    wall, cpu = time.monotonic() - begin, time.process_time() - cpu
    theirs = sum(emulator.cpu_times()[:2]) - theirs
    there = sum(1 for _ in table.read_rows(filter_=CellsRowLimitFilter(1)))
    cells = table.read_row(row_key(rows[-1][ENTITY], suffix(AS_OF))).cells[FAMILY]
    assert there == len(rows), f"{way.__name__}: {there} of {len(rows)} rows are there"
    assert len(cells) >= FEATURES, f"{way.__name__}: {len(cells)} of {FEATURES} cells are there"
    print(
        f"{way.__name__:8} {len(rows) / wall:9,.0f} rows/s   {len(rows) / cpu:9,.0f} rows per CPU second of the client"
        f"   ({wall:.1f} s, CPU: client {cpu:.1f} s, emulator {theirs:.1f} s)",
        flush=True,
    )
    return len(rows) / wall


def push_million(count: int) -> None:
    """Push many small rows and print how the process's memory grew after the first tenth."""
    table = make_table("million")
    me, seen = psutil.Process(), []

    def batches() -> Iterator[pa.RecordBatch]:
        for first in range(0, count, BATCH):
            if first >= count // 10:
                seen.append(me.memory_info().rss)
            yield pa.RecordBatch.from_pylist(rows_of(BATCH, 3, first))

    begin = time.monotonic()
    pushed = _push().write(table, batches())
    wall = time.monotonic() - begin
    head = Head("snapshot", Generation(AS_OF, 1), 0, {})
    assert pushed == count
    assert Store(table)._generation(FAMILY, head, ["nobody"]) == {}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"{count:,} rows of 3 features: {count / wall:,.0f} rows/s; memory {seen[0] / 2**20:.0f} MiB after a tenth, "
        f"{seen[-1] / 2**20:.0f} MiB at the end, {peak / 2**20:.0f} MiB at most",
        flush=True,
    )
    assert seen[-1] < seen[0] * 1.25 + 32 * 2**20, "memory grows with the number of rows"


def main() -> None:
    """Run all of it beside an emulator of its own."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        free.close()
        program = ROOT / ".local" / "bin" / "cbtemulator"
        emulator = subprocess.Popen(
            [str(program), "-address", address, "-journal", f"{folder}/journal"], stderr=subprocess.DEVNULL
        )
        try:
            os.environ["BIGTABLE_EMULATOR_HOST"] = address
            _wait(address)
            rows = rows_of(count, FEATURES)
            print(f"{count:,} rows of {FEATURES} features")
            slow, feasts, fast = (
                measure(way, rows, psutil.Process(emulator.pid)) for way in (batcher, feast, ours)
            )
            print(
                f"ours is {fast / slow:.1f} times the batcher and {fast / feasts:.1f} times Feast's way",
                flush=True,
            )
            child = multiprocessing.get_context("spawn").Process(target=push_million, args=(MILLION,))
            child.start()
            child.join()
            if child.exitcode:
                sys.exit(child.exitcode)
        finally:
            emulator.terminate()
            emulator.wait()
    if fast < BAR * slow:
        sys.exit(f"the push is {fast / slow:.1f} times the batcher, less than {BAR:.0f}")


def _wait(address: str) -> None:
    host, port = address.split(":")
    for _ in range(100):
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"the emulator at {address} did not start")


if __name__ == "__main__":
    main()
