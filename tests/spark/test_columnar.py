"""Parquet and Avro objects: every type unharmed, every object with its own schema, damage and law 1."""

from __future__ import annotations

import datetime as dt
import json
import random
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import oracle
import pytest
from refine_hour import Hour, Result, column
from test_formats import RULES, check

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

MOMENT = dt.datetime(2021, 7, 21, 6, 10, 0, 123456)
BOTH = pytest.mark.parametrize("kind", ["parquet", "avro"])


def write(hour: Hour, kind: str, name: str, frame: DataFrame) -> Path:
    """One object of a frame's rows, in their order."""
    folder = hour.folder / f"written-{name}"
    frame.coalesce(1).write.format(kind).save(folder.as_uri())
    (part,) = folder.glob("part-*")
    return hour.add(name, part.read_bytes())


def rows(hour: Hour, ddl: str, *values: tuple[Any, ...]) -> DataFrame:
    return hour.spark.createDataFrame(list(values), ddl)


def verdicts(result: Result) -> dict[tuple[str, int], tuple[str, str | None]]:
    return {
        (Path(r["source_object"]).name, r["source_line"]): (r["reason"], r["field"])
        for r in result.quarantine
    }


@BOTH
def test_types_and_schemas(hour: Hour, kind: str) -> None:
    hour.schema += [column("due", "TIMESTAMP"), column("label", "STRING") | {"source_path": "meta.label"}]
    ddl = (
        "id string, at timestamp, n bigint, x double, amount decimal(20,9), ok boolean, day date, blob binary, "
        "body string, actor struct<id:int,email:string,nick:string>, items array<struct<sku:string>>, "
        "tags array<string>, due timestamp_ntz, meta struct<label:string>, new decimal(20,2)"
    )
    full = (
        "1", MOMENT, 2**63 - 1, 0.1, Decimal("12345678901.000000001"), False, dt.date(2021, 7, 21), b"\x00\xff",
        '{"a":1.5}', (7, "e", "bo"), [("s",)], ["a", "b"], MOMENT, ("m",), Decimal("1.10"),
    )  # fmt: skip
    write(hour, kind, "a", rows(hour, ddl, full, ("2", MOMENT, *[None] * 6, "no json", *[None] * 6)))
    write(
        hour,
        kind,
        "b",
        rows(hour, "n string, at string, id int", ("x", str(MOMENT), 3), (None, str(MOMENT), 4)),
    )
    write(hour, kind, "c", rows(hour, "id binary, at bigint, x float, actor string",
                                (b"5", 1626847200, 0.1, None), (b"6", 1626847200, float("nan"), None),
                                (b"7", 1626847200, None, "bob")))  # fmt: skip
    write(hour, kind, "d", rows(hour, "id string", ("8",)))
    result = hour.refine(format={"type": kind, "compression": "gzip"})
    row = result.row(1)
    assert (row["at"], row["due"], row["n"], row["x"]) == (MOMENT, MOMENT, 2**63 - 1, 0.1)
    assert (row["amount"], row["ok"], row["day"]) == (full[4], False, full[6])
    assert (bytes(row["blob"]), row["body"], row["tags"]) == (b"\x00\xff", '{"a":1.5}', ["a", "b"])
    assert (row["actor"], row["items"]) == ({"id": 7, "email": "e"}, [{"sku": "s", "detail": None}])
    assert (row["label"], row["unknown_fields"]) == ("m", '{"actor":{"nick":"bo"},"new":1.10}')
    assert (result.row(2)["body"], result.row(2)["unknown_fields"]) == ('"no json"', None)
    assert (result.row(4)["n"], result.row(5)["x"]) == (None, 0.1)
    assert verdicts(result) == {
        ("b", 1): ("wrong_type", "n"),
        ("c", 2): ("wrong_type", "x"),
        ("c", 3): ("wrong_type", "actor"),
        ("d", 1): ("missing_required", "at"),
    }
    (raw,) = [bytes(r["raw_line"]) for r in result.quarantine if r["source_object"].endswith("/d")]
    assert json.loads(raw) == {"id": "8"}


@BOTH
def test_damage(hour: Hour, kind: str) -> None:
    """An object that cannot be read, or not to its end, is one quarantined line behind what can be read."""
    many = hour.spark.range(20000).selectExpr(
        "CAST(id AS string) id", "timestamp'2021-07-21T06:10:00Z' at", "sha2(CAST(id AS string), 256) noise"
    )
    whole = write(hour, kind, "a", many).read_bytes()
    middle = bytearray(whole)
    middle[len(whole) // 2 : len(whole) // 2 + 3000] = b"\xff" * 3000
    hour.add("b-broken", bytes(middle))
    hour.add("c-cut", whole[: len(whole) // 3])
    hour.add("d-words", b"these are words")
    hour.add("e-empty", b"")
    result = hour.refine(format={"type": kind}, deduplication=None, rules=[])
    kept = [r for r in result.silver if r["source_object"].endswith("b-broken")]
    assert len([r for r in result.silver if r["source_object"].endswith("/a")]) == 20000
    assert [int(r["id"]) for r in kept] == list(range(len(kept)))
    assert len(kept) < 20000
    # Avro says its schema first, so what is before a cut can be read; Parquet says it last.
    cut = len([r for r in result.silver if r["source_object"].endswith("c-cut")])
    assert (cut > 1000) == (kind == "avro")
    unreadable = ("unreadable_object", None)
    assert verdicts(result) == {
        ("b-broken", len(kept) + 1): unreadable,
        ("c-cut", cut + 1): unreadable,
        ("d-words", 1): unreadable,
        ("e-empty", 1): unreadable,
    }


def test_timestamps_of_every_writer(hour: Hour) -> None:
    """INT96, nanoseconds and days long ago."""
    conf = hour.spark.conf
    conf.set("spark.sql.parquet.outputTimestampType", "INT96")
    conf.set("spark.sql.parquet.int96RebaseModeInWrite", "CORRECTED")
    write(
        hour,
        "parquet",
        "a",
        rows(hour, "id string, at timestamp", ("1", MOMENT), ("2", dt.datetime(1066, 1, 1))),
    )
    conf.unset("spark.sql.parquet.outputTimestampType")
    conf.unset("spark.sql.parquet.int96RebaseModeInWrite")
    _write_nanos(hour, "b", {"3": 1626847800123456789, "4": -1626847800000000001})
    result = hour.refine(format={"type": "parquet"}, event_time=None)
    assert [r["at"] for r in result.silver] == [
        MOMENT,
        dt.datetime(1066, 1, 1),
        MOMENT,
        dt.datetime(1970, 1, 1) - dt.timedelta(microseconds=1626847800000001),
    ]


def _write_nanos(hour: Hour, name: str, values: dict[str, int]) -> None:
    jvm: Any = hour.spark._jvm
    parquet = jvm.org.apache.parquet
    schema = parquet.schema.MessageTypeParser.parseMessageType(
        "message m { required binary id (STRING); required int64 at (TIMESTAMP(NANOS,true)); }"
    )
    path = hour.folder / f"written-{name}"
    builder = parquet.hadoop.example.ExampleParquetWriter.builder(
        jvm.org.apache.hadoop.fs.Path(path.as_uri())
    )
    writer = builder.withType(schema).build()
    for key, value in values.items():
        group = parquet.example.data.simple.SimpleGroupFactory(schema).newGroup()
        writer.write(group.append("id", key).append("at", value))
    writer.close()
    hour.add(name, path.read_bytes())


@BOTH
def test_every_record_is_accounted_for(hour: Hour, kind: str) -> None:
    rng = random.Random(5)
    expected: dict[str, list[oracle.Record]] = {}
    wide = "id string, at string, n bigint, ok boolean, body string, new string"
    for name, ddl in {
        "a": wide,
        "b": wide,
        "c": wide.replace("n bigint", "n string").replace("ok boolean", "ok int"),
    }.items():
        values = [_values(rng, name == "c") for _ in range(200)]
        write(hour, kind, name, rows(hour, ddl, *values))
        names = [part.split(" ")[0] for part in ddl.split(", ")]
        made = [{n: v for n, v in zip(names, row, strict=True) if v is not None} for row in values]
        texts = [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() for row in made]
        expected[name] = [oracle.Record(text, text) for text in texts]
    found = oracle.refine_records(expected)
    assert {"wrong_type", "missing_required"} <= {reason for reason, _ in found.quarantine.values()}
    assert min(len(found.silver), found.duplicates, len(found.unknown_json)) > 20
    check(hour.refine(format={"type": kind}, rules=RULES), found)


def _values(rng: random.Random, strings: bool) -> tuple[Any, ...]:
    number = rng.choice([None, 1, -105, 2**63 - 1])
    truth = rng.choice([None, True, False])
    return (
        rng.choice([None, *map(str, range(150))]),
        rng.choice([None, "soon", *["2021-07-21T06:10:00Z", "2021-07-21 06:10:00.5"] * 8]),
        None if number is None else str(number) if strings else number,
        None if truth is None else int(truth) if strings else truth,
        None,
        rng.choice([None, 'né\n"w']),
    )
