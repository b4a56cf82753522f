"""CSV objects and JSON arrays through the whole job: numbers, raw texts, verdicts, damage, and law 1 as a property."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from pathlib import Path
from typing import Any

import oracle
import oracle_formats
from hypothesis import strategies as st
from refine_hour import Hour, Result, column, event, line
from test_conservation import BAD_TIMES, TEXTS, drawn, drawn_from

TIME = "2021-07-21T06:10:00Z"
CSV = {"type": "csv", "compression": "auto"}
ARRAY = {"type": "json_array", "compression": "auto"}


def told(result: Result) -> dict[tuple[str, int], tuple[str, str | None, bytes]]:
    """(reason, field, raw line) by object name and record number."""
    return {
        (Path(r["source_object"]).name, r["source_line"]): (r["reason"], r["field"], bytes(r["raw_line"]))
        for r in result.quarantine
    }


def test_csv(hour: Hour) -> None:
    """Each object has its own header; records are numbered, typed by the schema and quarantined as they were."""
    hour.schema.append(column("label", "STRING") | {"source_path": "Account.Label"})
    hour.add(
        "a.csv",
        f'id,at,n,ok,body,Account.Label,extra\r\n1,{TIME},7,true,"{{""a"": 1}}","two\nlines",x\r\n'
        f"2,{TIME},seven,,,,\r\n3,{TIME},,,,{{a,\r\n4,{TIME}\r\n,{TIME},,,,,\r\n".encode(),
    )
    hour.add(
        "b.csv.gz",
        gzip.compress(f"\nn,at,id\n9,{TIME},1\n9,{TIME},b\n\n9,soon,b\n9,{TIME},\xff".encode("latin-1")),
    )
    hour.add("c.csv", f'id,n\n1,2\n"x"y,3\n\xe9,{TIME}\n'.encode())
    hour.add("d-noheader.csv", f"5,{TIME},7\n".encode())
    hour.add("e-empty.csv", b"")
    hour.add(
        "f-cut.csv.gz",
        gzip.compress(b"id,at\n" + b"".join(b"f%d,%s\n" % (i, TIME.encode()) for i in range(9)))[:-9],
    )
    result = hour.refine(format=CSV)
    first = result.row(1)
    assert (first["n"], first["ok"], first["body"], first["label"]) == (7, True, '{"a":1}', "two\nlines")
    assert first["unknown_fields"] == '{"extra":"x"}'
    assert (result.row(3)["label"], result.row(3)["unknown_fields"]) == ("{a", None)
    assert result.row("b")["n"] == 9
    found = told(result)
    cut = [(place, verdict) for place, verdict in found.items() if place[0] == "f-cut.csv.gz"]
    assert [verdict[0] for _, verdict in cut] == ["truncated_gzip"]
    whole = [place for place in result.places() if place[0] == "f-cut.csv.gz"]
    assert [i for _, _, i in whole] == [f"f{i}" for i in range(len(whole))]
    assert cut[0][0][1] == len(whole) + 1
    assert {place: verdict for place, verdict in found.items() if place[0] != "f-cut.csv.gz"} == {
        ("a.csv", 2): ("wrong_type", "n", f"2,{TIME},seven,,,,".encode()),
        ("a.csv", 4): ("malformed_csv", None, f"4,{TIME}".encode()),
        ("a.csv", 5): ("missing_required", "id", f",{TIME},,,,,".encode()),
        ("b.csv.gz", 1): ("blank_line", None, b""),
        ("b.csv.gz", 4): ("blank_line", None, b""),
        ("b.csv.gz", 5): ("wrong_type", "at", b"9,soon,b"),
        ("b.csv.gz", 6): ("invalid_utf8", None, f"9,{TIME},\xff".encode("latin-1")),
        ("c.csv", 1): ("missing_required", "at", b"1,2"),
        ("c.csv", 2): ("malformed_csv", None, b'"x"y,3'),
        ("c.csv", 3): ("wrong_type", "n", f"\xe9,{TIME}".encode()),
        ("d-noheader.csv", 1): ("malformed_csv", None, f"5,{TIME},7".encode()),
    }
    assert result.counts["duplicates"] == 1


def test_csv_as_it_is_configured(hour: Hour) -> None:
    hour.schema = [
        column("id", "STRING", "REQUIRED"),
        column("at", "TIMESTAMP", "REQUIRED"),
        column("n", "INT64"),
    ]
    hour.add("a.txt", f"1;{TIME};\\N\n'a;\\'b';{TIME};x\n".encode())
    how = {"header": False, "delimiter": ";", "quote": "'", "escape": "\\", "null_value": "N"}
    result = hour.refine(format=CSV | {"csv": how}, validation="permissive")
    assert [(r["id"], r["n"], r["unknown_fields"]) for r in result.silver] == [
        ("1", None, None),
        ("a;'b", None, '{"n":"x"}'),
    ]
    assert result.outcome["nulled"] == {"n": 1}


def test_json_array(hour: Hour) -> None:
    pretty = json.dumps([event(1), event(2, n="x")], indent=2).encode()
    hour.add("a.json", pretty)
    hour.add(
        "b.json.gz", gzip.compress(b"[" + line(3) + b"," + line(3) + b",{bad, but alone},\n" + line(4) + b"]")
    )
    hour.add("c-object.json", line(5))
    hour.add("d-open.json", b"[" + line(6) + b"," + line(7)[:-9])
    hour.add("e-empty.json", b"")
    hour.add("f-none.json", b" [ ]\n")
    rows = [line(f"g{i}", body=random.Random(i).randbytes(40).hex()) for i in range(50)]
    hour.add("g-cut.json.gz", gzip.compress(b"[" + b",".join(rows) + b"]")[:-800])
    result = hour.refine(format=ARRAY)
    cut = [one for one in result.places() if one[0] == "g-cut.json.gz"]
    assert 5 < len(cut) < 50
    assert cut == [("g-cut.json.gz", i + 1, f"g{i}") for i in range(len(cut))]
    assert [one for one in result.places() if one not in cut] == [
        ("a.json", 1, "1"),
        ("b.json.gz", 1, "3"),
        ("b.json.gz", 4, "4"),
        ("d-open.json", 1, "6"),
    ]
    found = told(result)
    reason, _, rest = found.pop(("g-cut.json.gz", len(cut) + 1))
    assert (reason, rows[len(cut)].startswith(rest)) == ("truncated_gzip", True)
    second = pretty[pretty.index(b"{", 5) : -2]
    assert found == {
        ("a.json", 2): ("wrong_type", "n", second),
        ("b.json.gz", 3): ("not_json", None, b"{bad, but alone}"),
        ("c-object.json", 1): ("broken_array", None, line(5)),
        ("d-open.json", 2): ("broken_array", None, line(7)[:-9]),
    }
    assert result.counts["duplicates"] == 1


def test_an_object_is_read_whole_however_long(hour: Hour, spark: Any) -> None:
    """Spark would cut an object of this size in two, in the middle of quotes."""
    filler = "line\n" * 400_000
    hour.add("a.csv", f'id,at,body\n1,{TIME},"{filler}"\n2,{TIME},"{filler}{filler}"\n3,{TIME},\n'.encode())
    before = spark.conf.get("spark.sql.files.maxPartitionBytes")
    result = hour.refine(format=CSV)
    assert [(r["id"], r["source_line"]) for r in result.silver] == [("1", 1), ("2", 2), ("3", 3)]
    assert json.loads(result.row(2)["body"]) == filler * 2
    assert spark.conf.get("spark.sql.files.maxPartitionBytes") == before


def check(result: Result, expected: oracle.Expected) -> None:
    def place(row: dict[str, Any]) -> tuple[str, int]:
        return Path(row["source_object"]).name, row["source_line"]

    assert {place(r): (r["reason"], bytes(r["raw_line"])) for r in result.quarantine} == expected.quarantine
    assert {place(r): r["id"] for r in result.silver} == expected.silver
    assert result.counts == {
        "lines": expected.lines,
        "silver": len(expected.silver),
        "quarantined": len(expected.quarantine),
        "duplicates": expected.duplicates,
    }
    assert result.outcome["unknown_fields"] == dict(expected.unknown)
    kept = {place(r): oracle.loads(r["unknown_fields"]) for r in result.silver if r["unknown_fields"]}
    assert kept == expected.unknown_json


RULES = [{"name": "n_above_minus_100", "field": "n", "expression": "n > -100"}]


def test_every_element_is_accounted_for(hour: Hour) -> None:
    lines = drawn(1000)
    expected: dict[str, list[oracle.Record]] = {}
    for number in range(0, len(lines), 20):
        content = b"[" + b",".join(lines[number : number + 20]) + b"]"
        name = f"{number:05}.json"
        hour.add(name, content)
        good, rest = oracle_formats.array_elements(content.decode("utf-8", "surrogateescape"))
        raws = [one.encode("utf-8", "surrogateescape") for one in good]
        expected[name] = [oracle.Record(raw, raw) for raw in raws]
        if rest is not None:
            raw = rest.encode("utf-8", "surrogateescape")
            expected[name].append(oracle.Record(raw, raw, "broken_array"))
    found = oracle.refine_records(expected)
    assert {"broken_array", "not_json", "wrong_type"} <= {reason for reason, _ in found.quarantine.values()}
    assert min(len(found.silver), len(found.unknown_json)) > 40
    check(hour.refine(format=ARRAY, rules=RULES), found)


COLUMNS = {"id": "STRING", "at": "TIMESTAMP", "n": "INT64", "ok": "BOOL", "body": "JSON", "new": "STRING"}
VALUES = st.fixed_dictionaries(
    {
        "id": st.integers(0, 250).map(lambda n: str(n or "")),
        "at": st.integers(0, 9).flatmap(lambda n: BAD_TIMES.map(str) if n == 9 else st.just(TIME)),
        "n": st.sampled_from([*["", "5", "-9", "12"] * 5, "-105", "x", "1.5", "9223372036854775808", "é"]),
        "ok": st.sampled_from([*["", "true", "0"] * 5, "yes"]),
        "body": TEXTS | st.just("two\nlines"),
        "new": st.sampled_from(["", "", "text", 'a "b", c\n']),
    }
)
DAMAGE = [*[""] * 40, ",", '"', '\n"', "\n\n", "\xff", ',"a"b']


def test_every_record_is_accounted_for(hour: Hour) -> None:
    rng = random.Random(3)
    rows = drawn_from(VALUES, 1000)
    expected: dict[str, list[oracle.Record]] = {}
    for number in range(0, len(rows), 25):
        header = rng.sample(list(COLUMNS), len(COLUMNS))
        text = ",".join(header) + "\n"
        for row in rows[number : number + 25]:
            out = io.StringIO()
            csv.writer(out, lineterminator="\n").writerow([row[name] for name in header])
            text += out.getvalue()[:-1] + rng.choice(DAMAGE) + "\n"
        name = f"{number:05}.csv"
        hour.add(name, text.encode("latin-1", "replace") if "\xff" in text else text.encode())
        readable = hour.objects[-1].read_bytes().decode("utf-8", "surrogateescape")
        split = oracle_formats.csv_records(readable[len(",".join(header)) + 1 :])
        expected[name] = [_expected(raw, values, header) for raw, values in split]
    found = oracle.refine_records(expected)
    assert {"malformed_csv", "blank_line", "invalid_utf8"} <= {
        reason for reason, _ in found.quarantine.values()
    }
    assert min(len(found.silver), found.duplicates) > 20
    check(hour.refine(format=CSV, rules=RULES), found)


def _expected(text: str, values: list[str] | None, header: list[str]) -> oracle.Record:
    raw = text.encode("utf-8", "surrogateescape")
    if not text.strip(" \t\r\n"):
        return oracle.Record(raw, raw)
    if values is None or len(values) != len(header):
        return oracle.Record(raw, raw, "malformed_csv")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return oracle.Record(raw, raw, "invalid_utf8")
    row = oracle_formats.csv_row(header, values, COLUMNS)
    return oracle.Record(json.dumps(row).encode(), raw)
