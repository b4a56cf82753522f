"""CSV records and array elements in plain Python: no driver is needed for these."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable

import oracle_formats
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refine_hour import SCHEMA

import hg_array
import hg_csv
import hg_gzip
from hg_spec import Csv, parse_field

FIELDS = tuple(parse_field(field) for field in SCHEMA)


def records(content: bytes, how: Csv | None = None) -> list[tuple[bytes, bytes | None, str | None]]:
    found = hg_csv.records(content.splitlines(keepends=True), how or Csv(), FIELDS)
    return [(r.value, r.raw, r.fault) for r in found]


def rows(content: bytes, **how: object) -> list[object]:
    return [fault or json.loads(value) for value, _, fault in records(content, Csv(**how))]  # type: ignore[arg-type]


def test_types() -> None:
    content = (
        b"\xef\xbb\xbfid,n,x,amount,ok,day,body,actor,tags,new\r\n"
        b'1,+007,1.50,1.10,TRUE,2021-07-21,"{""a"": 1}","{""id"": 5}","[""a""]",z\r\n'
        b'2,1.5,1e999,"1,5",yes,soon,{a},none,,\r\n'
        b"3,,,,,,,,,\r\n"
    )
    assert rows(content) == [
        {
            "id": "1", "n": 7, "x": 1.5, "amount": "1.10", "ok": True, "day": "2021-07-21", "body": {"a": 1},
            "actor": {"id": 5}, "tags": ["a"], "new": "z",
        },
        {"id": "2", "n": "1.5", "x": "1e999", "amount": ["1,5"], "ok": "yes", "day": "soon", "body": "{a}",
         "actor": "none"},
        {"id": "3"},
    ]  # fmt: skip


def test_ways_of_writing() -> None:
    assert rows(b"1;'a;b'\n2;''''\n", header=False, delimiter=";", quote="'") == [
        "malformed_csv",
        "malformed_csv",
    ]
    first = b"id;at;n;x;amount;ok;day;blob;body;actor;items;tags\n"
    assert rows(first + b"1;t;2;;;;;;;;;'a;b'\n", delimiter=";", quote="'")[0] == {
        "id": "1",
        "at": "t",
        "n": 2,
        "tags": "a;b",
    }
    assert rows(b"1,t,2,,,,,,,,,x\n", header=False) == [{"id": "1", "at": "t", "n": 2, "tags": "x"}]
    assert rows(b'id,tags\n"a\\"b",c\\,d\n', escape="\\") == [{"id": 'a"b', "tags": "c,d"}]
    assert rows(b'id,tags\n"a",NA\nNA,\n', quote=None, null_value="NA") == [{"id": '"a"'}, {"tags": ""}]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"id,n\n", []),
        (b"id,n\n\n1,2\n", [(b"", None, None), (b'{"id":"1","n":2}', b"1,2", None)]),
        (b"id,n\n1\n1,2,3\n", [(b"1", None, "malformed_csv"), (b"1,2,3", None, "malformed_csv")]),
        (b'id\n"a\nb"\n', [(b'{"id":"a\\nb"}', b'"a\nb"', None)]),
        (b'id,n\n"open,1\n2,3\n', [(b'"open,1', None, "malformed_csv"), (b'{"id":"2","n":3}', b"2,3", None)]),
        (b'id,n\n"a"b,1\n2,3', [(b'"a"b,1', None, "malformed_csv"), (b'{"id":"2","n":3}', b"2,3", None)]),
        (b"id,n\n\xff,1\n", [(b"\xff,1", None, "invalid_utf8")]),
        (b"1,2\n3,4\n", [(b"1,2", None, "malformed_csv"), (b"3,4", None, "malformed_csv")]),
        (b"id,id\n3,4\n", [(b"id,id", None, "malformed_csv"), (b"3,4", None, "malformed_csv")]),
    ],
)
def test_records(content: bytes, expected: list[tuple[bytes, bytes | None, str | None]]) -> None:
    assert records(content) == expected


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.lists(st.sampled_from(['"', ",", "\n", "a", '""', "id", "1", ' "', '",'])).map("".join))
def test_csv_as_the_oracle_splits_it(body: str) -> None:
    header = "id,n\n"
    found = records((header + body).encode())
    expected = oracle_formats.csv_records(body)
    assert [(raw if raw is not None else value).decode() for value, raw, _ in found] == [
        raw for raw, _ in expected
    ]
    for (value, _, fault), (raw, values) in zip(found, expected, strict=True):
        if values is not None and len(values) == 2:
            assert (json.loads(value), fault) == (
                oracle_formats.csv_row(["id", "n"], values, {"n": "INT64"}), None,
            )  # fmt: skip
        elif raw.strip():
            assert fault == "malformed_csv"


def elements(content: bytes, size: int = 7) -> list[tuple[bytes, str | None]]:
    pieces: Iterable[bytes] = (content[i : i + size] for i in range(0, len(content), size))
    return list(hg_array.elements(pieces))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b" \n", []),
        (b"\xef\xbb\xbf [ ]\n", []),
        (b'[\n {"a": 1},\n {"b": [2]}\n]\n', [(b'{"a": 1}', None), (b'{"b": [2]}', None)]),
        (b"[1,null]", [(b"1", None), (b"null", None)]),
        (b'[{"a":NaN},x y,{"c":"],"}]', [(b'{"a":NaN}', None), (b"x y", None), (b'{"c":"],"}', None)]),
        (b'[{"a":1},{"b":2}', [(b'{"a":1}', None), (b'{"b":2}', "broken_array")]),
        (b'[{"a":1},{"b":', [(b'{"a":1}', None), (b'{"b":', "broken_array")]),
        (b'[{"a":1},]', [(b'{"a":1}', None), (b"]", "broken_array")]),
        (b'[{"a":1}],2', [(b'{"a":1}', None), (b",2", "broken_array")]),
        (b'[{"a":1]},3]', [(b'{"a":1]},3]', "broken_array")]),
        (b'{"a":1}', [(b'{"a":1}', "broken_array")]),
        (b'["\xff","\xc3', [(b'"\xff"', None), (b'"\xc3', "broken_array")]),
    ],
)
def test_elements(content: bytes, expected: list[tuple[bytes, str | None]]) -> None:
    assert elements(content) == expected


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(
    st.lists(st.sampled_from(['{"a":1}', "[", "]", "{", "}", ",", '"', "\\", " ", "5", "x", '"b"'])).map(
        "".join
    ),
    st.booleans(),
)
def test_elements_as_the_oracle_finds_them(body: str, whole: bool) -> None:
    text = f"[{body}]" if whole else body
    good, rest = oracle_formats.array_elements(text)
    expected: list[tuple[str, bool]] = [(one, False) for one in good]
    expected += [] if rest is None else [(rest, True)]
    assert [(value.decode(), fault is not None) for value, fault in elements(text.encode())] == expected


def test_a_long_rest_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hg_array, "STEP", 10)
    monkeypatch.setattr(hg_array, "PIECE", 8)
    found = elements(b'[1,{"a":' + b"x" * 30)
    assert found[0] == (b"1", None)
    assert b"".join(value for value, _ in found[1:]) == b'{"a":' + b"x" * 30
    assert {fault for _, fault in found[1:]} == {"broken_array"}
    assert max(len(value) for value, _ in found[1:]) == 8


@pytest.mark.parametrize("cut", range(1, 160, 13))
def test_a_cut_gzip_gives_what_is_before_the_cut(cut: int) -> None:
    rng = random.Random(1)
    rows = [{"id": str(i), "tags": rng.randbytes(20).hex()} for i in range(60)]
    array = gzip.compress(json.dumps(rows).encode())[:-cut]
    *good, (_, fault) = hg_array.elements(hg_gzip.pieces(array))
    assert [json.loads(value) for value, _ in good] == rows[: len(good)]
    assert (fault, len(good) > 10) == ("truncated_gzip", True)
    text = "id,tags\n" + "".join(f'{row["id"]},"{row["tags"]}"\n' for row in rows)
    *kept, last = hg_csv.records(hg_gzip.pieces(gzip.compress(text.encode())[:-cut]), Csv(), FIELDS)
    assert [json.loads(r.value) for r in kept] == rows[: len(kept)]
    assert (last.fault, len(kept) > 10) == ("truncated_gzip", True)
    assert text.encode().startswith(
        b"id,tags\n" + b"".join((r.raw or b"") + b"\n" for r in kept) + last.value
    )
