"""The closer look at single lines must not fail on what Spark lets through: no driver is needed for these."""

from __future__ import annotations

import gzip

import pytest
from refine_hour import SCHEMA

import hg_gzip
import hg_json
from hg_spec import parse_field

FIELDS = tuple(parse_field(field) for field in SCHEMA)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"id":"1"}', None),
        (b' { "id" : "1" , "new" : 1.10 } ', '{"new":1.10}'),
        (b'{"new":"\\"}{","n\\u0065w":2}', '{"new":2}'),
        (b'{"":{"a": [1, 2]}}', '{"":{"a": [1, 2]}}'),
        (
            b'{"actor":{"id":1,"x":null},"items":[{"sku":"a"},{"y":1}]}',
            '{"actor":{"x":null},"items":[{},{"y":1}]}',
        ),
        (b'{"new":' + b"9" * 5000 + b"}", '{"new":' + "9" * 5000 + "}"),
        (b'{"new":' + b"[" * 999 + b"]" * 999 + b"}", '{"new":' + "[" * 999 + "]" * 999 + "}"),
        ('{"né":"🕰"}'.encode(), '{"né":"🕰"}'),
    ],
)
def test_unknown_text(line: bytes, expected: str | None) -> None:
    assert hg_json.unknown_text(line, FIELDS) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"n":' + b"9" * 5000 + b"}", None),  # more digits than Python reads
        (b'{"amount":1e999999999}', "amount"),
        (b'{"amount":"1e999999999999"}', "amount"),
        (b'{"x":1e999}', "x"),
        (b'{"body":' + b"[" * 999 + b"]" * 999 + b',"n":"a"}', "n"),
        (b"[" * 100000, None),
        (b'{"at":"2021-02-30T00:00:00Z"}', "at"),
        (b'{"at":"2021-02-28T00:00:00Z","ok":0}', "ok"),
        (b"\xff", None),
        (b"5", None),
    ],
)
def test_offending_field(line: bytes, expected: str | None) -> None:
    assert hg_json.offending_field(line, FIELDS) == expected


@pytest.mark.parametrize("cut", range(1, 120, 7))
def test_a_cut_anywhere_loses_only_the_unfinished_line(cut: int) -> None:
    text = b"".join(b"line %d\n" % i for i in range(500))
    whole = gzip.compress(text)
    found = list(hg_gzip.lines(whole[:-cut]))
    assert [damaged for _, damaged in found[:-1]] == [False] * (len(found) - 1)
    assert found[-1][1]
    joined = b"\n".join(line for line, _ in found)
    assert text.startswith(joined)
    assert hg_gzip.spark_gives_up(whole[:-cut])
    assert not hg_gzip.spark_gives_up(whole)
