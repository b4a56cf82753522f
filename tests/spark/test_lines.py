"""Every kind of line, each judged with the first reason that applies and the field at fault."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from refine_hour import Hour, Result, column, line

BAD: list[tuple[str, bytes, str, str | None]] = [
    ("empty line", b"", "blank_line", None),
    ("white space", b" \t \r", "blank_line", None),
    ("invalid bytes in a text", b'{"id":"\xff\xfe","at":"2021-07-21T06:10:00Z"}', "invalid_utf8", None),
    ("invalid bytes alone", b"\x80\x81", "invalid_utf8", None),
    ("overlong encoding", b'{"id":"\xc0\xaf","at":"2021-07-21T06:10:00Z"}', "invalid_utf8", None),
    ("half a surrogate pair", line("a").replace(b'"a"', b'"a\\ud83d"'), "invalid_utf8", None),
    ("the other half", line("a").replace(b'"a"', b'"\\\\\\uDD70"'), "invalid_utf8", None),
    ("words", b"hello world", "not_json", None),
    ("cut off", b'{"id":"1","at":"2021-07', "not_json", None),
    ("single quotes", b"{'id':'1'}", "not_json", None),
    ("NaN", b'{"id":"1","at":"2021-07-21T06:10:00Z","x":NaN}', "not_json", None),
    ("Infinity", b'{"id":"1","at":"2021-07-21T06:10:00Z","x":-Infinity}', "not_json", None),
    ("raw control character", b'{"id":"a\x01b","at":"2021-07-21T06:10:00Z"}', "not_json", None),
    ("leading zero", b'{"id":"1","at":"2021-07-21T06:10:00Z","n":007}', "not_json", None),
    ("closing bracket", b'{"id":"1"}]', "trailing_data", None),
    ("two objects", line("t1") + line("t2"), "trailing_data", None),
    ("object and words", line("t3") + b" and more", "trailing_data", None),
    ("object and comma", line("t4") + b",", "trailing_data", None),
    ("two objects with a comma", line("t5") + b"," + line("t6"), "trailing_data", None),
    ("a list of one", b"[" + line("t7") + b"]", "wrong_type", None),
    ("null", b"null", "wrong_type", None),
    ("a number", b"5", "wrong_type", None),
    ("a text", b'"text"', "wrong_type", None),
    ("text for INT64", line(1, n="7"), "wrong_type", "n"),
    ("fraction for INT64", line(1, n=1.5), "wrong_type", "n"),
    ("above INT64", line(1, n=2**63), "wrong_type", "n"),
    ("below INT64", line(1, n=-(2**63) - 1), "wrong_type", "n"),
    ("object for INT64", line(1, n={}), "wrong_type", "n"),
    ("boolean for INT64", line(1, n=True), "wrong_type", "n"),
    ("text for FLOAT64", line(1, x="1.5"), "wrong_type", "x"),
    ("the text NaN for FLOAT64", line(1, x="NaN"), "wrong_type", "x"),
    ("beyond FLOAT64", b'{"id":"1","at":"2021-07-21T06:10:00Z","x":1e400}', "wrong_type", "x"),
    ("beyond NUMERIC", line(1, amount=10**30), "wrong_type", "amount"),
    ("decimal comma in a NUMERIC text", line(1, amount="1,5"), "wrong_type", "amount"),
    ("thousands in a NUMERIC text", line(1, amount="1,234.5"), "wrong_type", "amount"),
    ("text for BOOL", line(1, ok="yes"), "wrong_type", "ok"),
    ("number for BOOL", line(1, ok=1), "wrong_type", "ok"),
    ("vast NUMERIC", b'{"id":"1","at":"2021-07-21T06:10:00Z","amount":1e999999999}', "wrong_type", "amount"),
    (
        "beyond a double in JSON",
        b'{"id":"1","at":"2021-07-21T06:10:00Z","body":[1e400]}',
        "wrong_type",
        "body",
    ),
    ("month 13", line(1, day="2025-13-02"), "wrong_type", "day"),
    ("31 June", line(1, day="2025-06-31"), "wrong_type", "day"),
    ("days as number", line(1, day=18000), "wrong_type", "day"),
    ("month 13 as time", line(1, at="2025-13-02T00:00:00Z"), "wrong_type", "at"),
    ("time without date", line(1, at="06:10:00"), "wrong_type", "at"),
    ("words for a time", line(1, at="yesterday"), "wrong_type", "at"),
    ("year beyond 9999", line(1, at=253402300800), "wrong_type", "at"),
    ("not base64", line(1, blob="*"), "wrong_type", "blob"),
    ("text for RECORD", line(1, actor="bob"), "wrong_type", "actor"),
    ("list for RECORD", line(1, actor=[]), "wrong_type", "actor"),
    ("inside RECORD", line(1, actor={"id": "7"}), "wrong_type", "actor.id"),
    ("object for STRING", line(1, actor={"id": 7, "email": {"a": 1}}), "wrong_type", "actor.email"),
    ("list for STRING", line(1, id=[1]), "wrong_type", "id"),
    ("text for REPEATED", line(1, tags="a"), "wrong_type", "tags"),
    ("inside REPEATED", line(1, items=[{"sku": "a", "detail": {"q": "x"}}]), "wrong_type", "items.detail.q"),
    ("required absent", line(1, id=...), "missing_required", "id"),
    ("required null", line(1, at=None), "missing_required", "at"),
    ("required inside RECORD", line(1, actor={"email": "e"}), "missing_required", "actor.id"),
    ("required inside REPEATED", line(1, items=[{"sku": "a"}, {}]), "missing_required", "items.sku"),
    ("deeper", line(1, items=[{"sku": "a", "detail": {}}]), "missing_required", "items.detail.q"),
    ("null in REPEATED", line(1, tags=["a", None]), "missing_required", "tags"),
    ("too late", line(1, at="2021-07-20T05:59:59Z"), "event_time_out_of_range", "at"),
    ("too far ahead", line(1, at="2021-07-21T07:05:00Z"), "event_time_out_of_range", "at"),
]

GOOD: list[tuple[str, bytes]] = [
    ("plain", line("g1")),
    ("spaces around", b"  " + line("g2") + b" \t"),
    ("carriage return", line("g3") + b"\r"),
    ("INT64's ends", line("g4", n=-(2**63))),
    ("latest", line("g5", at="2021-07-20T06:00:00Z")),
    ("last moment", line("g6", at="2021-07-21T07:04:59.999999Z")),
    ("offset", line("g7", at="2021-07-21T08:10:00.123456+02:00")),
    ("blank instead of T", line("g8", at="2021-07-21 06:10:00")),
    ("seconds since 1970", line("g9", at=1626847200)),
    ("nulls", line("g10", n=None, actor=None, items=None, tags=None, body=None)),
    ("record with its required field", line("g11", actor={"id": 1})),
    ("empty lists", line("g12", items=[], tags=[])),
    ("text that looks like JSON", line("g13", actor={"id": 1, "email": '{"a":1}'}, tags=["[x]"])),
    ("key twice", b'{"id":"no","id":"g14","at":"2021-07-21T06:10:00Z","n":1,"n":2}'),
    ("ten megabytes", line("g15", body={"text": "x" * 10_000_000})),
    ("four bytes a character", line("g16", tags=["\U0001f570\u00e9"])),
    ("every type", line("g17", x=1, amount=12.5, ok=False, day="2021-07-21", blob="aGk=", body=[1])),
    ("escaped pair", line("g18").replace(b'"n":1', b'"tags":["\\ud83d\\udd70 \\\\ud83d"]')),
    ("the text Infinity", line("g19", body='"Infinity"')),
    ("decimal as text", line("g20", amount="0.000000001")),
]


@pytest.fixture(scope="module")
def judged(spark: Any, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """All of the lines above as one object, the bad ones first."""
    hour = Hour(spark, tmp_path_factory.mktemp("lines"), "lines")
    hour.gz("all.json.gz", [*(one[1] for one in BAD), *(one[1] for one in GOOD)])
    return hour.refine(deduplication=None)


@pytest.mark.parametrize("number", range(len(BAD)), ids=[one[0] for one in BAD])
def test_bad_line(judged: Result, number: int) -> None:
    _, raw, reason, field = BAD[number]
    found = [r for r in judged.quarantine if r["source_line"] == number + 1]
    assert [(r["reason"], r["field"], bytes(r["raw_line"])) for r in found] == [(reason, field, raw)]


@pytest.mark.parametrize("number", range(len(GOOD)), ids=[one[0] for one in GOOD])
def test_good_line(judged: Result, number: int) -> None:
    row = [r for r in judged.silver if r["source_line"] == len(BAD) + number + 1]
    assert [r["id"] for r in row] == [f"g{number + 1}"]


def test_counts(judged: Result) -> None:
    assert judged.counts == {
        "lines": len(BAD) + len(GOOD),
        "silver": len(GOOD),
        "quarantined": len(BAD),
        "duplicates": 0,
    }
    assert judged.outcome["reasons"]["blank_line"] == 2
    assert sum(judged.outcome["reasons"].values()) == len(BAD)
    assert judged.outcome["event_dates"] == ["2021-07-20", "2021-07-21"]


def test_values(judged: Result) -> None:
    row = judged.row("g17")
    assert (row["x"], row["amount"], row["ok"]) == (1.0, Decimal("12.5"), False)
    assert (row["day"].isoformat(), bytes(row["blob"]), row["body"]) == ("2021-07-21", b"hi", "[1]")
    assert judged.row("g4")["n"] == -(2**63)
    assert judged.row("g7")["at"].isoformat() == "2021-07-21T06:10:00.123456"
    assert judged.row("g9")["at"].isoformat() == "2021-07-21T06:00:00"
    assert judged.row("g13")["actor"]["email"] == '{"a":1}'
    assert judged.row("g14")["n"] == 2  # of equal keys the last counts
    assert len(judged.row("g15")["body"]) == 10_000_011
    assert judged.row("g16")["tags"] == ["\U0001f570\u00e9"]
    assert judged.row("g18")["tags"] == ["\U0001f570 \\ud83d"]
    assert judged.row("g20")["amount"] == Decimal("0.000000001")


JSON_VALUES = [
    "text",
    '{"a":1}',
    "[1]",
    "5",
    "",
    5,
    -1.5,
    True,
    False,
    {"a": "b"},
    [],
    {"a": '{"b'},
    'q"uote\n',
]


def test_a_json_column_always_holds_json(hour: Hour) -> None:
    """A JSON string keeps its quotes, so that the column can be loaded as JSON and means the same."""
    hour.schema.append(column("deep", "RECORD", "NULLABLE", [column("body", "JSON")]))
    hour.schema.append(column("list", "RECORD", "REPEATED", [column("body", "JSON")]))
    hour.gz(
        "a.gz",
        [line(i, body=v, deep={"body": v}, list=[{"body": v}]) for i, v in enumerate(JSON_VALUES)],
    )
    result = hour.refine()
    for i, value in enumerate(JSON_VALUES):
        row = result.row(i)
        assert json.loads(row["body"]) == value
        assert json.loads(row["deep"]["body"]) == value
        inside = json.loads(row["list"][0]["body"])
        # A text inside a list that is itself JSON cannot be told from that JSON.
        assert inside == value or (isinstance(value, str) and inside == json.loads(value))


def test_commas_in_numbers_are_told_from_commas_elsewhere(hour: Hour) -> None:
    """Spark would read the text "1,5" as 15, in lists too."""
    hour.schema.append(column("list", "RECORD", "REPEATED", [column("price", "NUMERIC")]))
    hour.gz(
        "a.gz",
        [
            line(1, list=[{"price": "1.25"}, {"price": 2}], amount="-3.5", tags=["1,5", ",", "7"]),
            line(2, list=[{"price": 1}, {"price": "2,5"}]),
            line(3, list=[{"price": "1,5"}]),
            line(4, tags=["1,5"], amount=7, list=[{"price": "8"}, {}, {"price": None}]),
            line(5, list=[{"price": "1"}, {"price": "2"}], tags=["1,5"], amount="9"),
        ],
    )
    result = hour.refine()
    assert result.verdicts() == {2: ("wrong_type", "list.price"), 3: ("wrong_type", "list.price")}
    assert [item["price"] for item in result.row(1)["list"]] == [Decimal("1.25"), 2]
    assert [result.row(n)["amount"] for n in (1, 4, 5)] == [Decimal("-3.5"), 7, 9]


def test_unknown_fields_are_kept_where_they_were(hour: Hour) -> None:
    lines = [
        line(1),
        b'{"id":"2","at":"2021-07-21T06:10:00Z","new":1.10,"big":12345678901234567890.123456789}',
        line(3, actor={"id": 1, "nick": "bo", "x": None}, new="5"),
        line(4, items=[{"sku": "a"}, {"sku": "b", "colour": ["red"], "detail": {"q": 1, "r": 2}}]),
        line(5, Id="other case", body={"free": 1}),
        line(5, new="a duplicate is not counted"),
        line(6, new=1, n="bad lines are not counted"),
    ]
    hour.gz("a.gz", lines)
    result = hour.refine()
    assert result.row(1)["unknown_fields"] is None
    assert result.row(2)["unknown_fields"] == '{"new":1.10,"big":12345678901234567890.123456789}'
    assert json.loads(result.row(3)["unknown_fields"]) == {"actor": {"nick": "bo", "x": None}, "new": "5"}
    assert json.loads(result.row(4)["unknown_fields"]) == {
        "items": [{}, {"colour": ["red"], "detail": {"r": 2}}]
    }
    assert json.loads(result.row(5)["unknown_fields"]) == {"Id": "other case"}
    assert result.outcome["unknown_fields"] == {
        "new": 2,
        "big": 1,
        "actor.nick": 1,
        "actor.x": 1,
        "items.colour": 1,
        "items.detail.r": 1,
        "Id": 1,
    }


def test_unknown_fields_can_be_refused(hour: Hour) -> None:
    hour.gz(
        "a.gz", [line(1), line(2, new=1), line(3, actor={"id": 1, "nick": "bo"}), line(4, new=1, id=None)]
    )
    result = hour.refine(unknown_fields="quarantine")
    assert result.verdicts() == {
        2: ("unknown_field", "new"),
        3: ("unknown_field", "actor.nick"),
        4: ("missing_required", "id"),
    }
    assert result.outcome["unknown_fields"] == {}


def test_rules_and_enrichment(hour: Hour) -> None:
    hour.gz(
        "a.gz",
        [
            line(1, n=5, actor={"id": 1, "email": "a@b"}),
            line(2, n=-1),
            line(3, n=5, actor={"id": 1, "email": "nobody"}),
            line(4, n=-1, actor={"id": 1, "email": "nobody"}),
            line(5, n=None),
        ],
    )
    result = hour.refine(
        rules=[
            {"name": "positive", "field": "n", "expression": "n > 0 -- not zero"},
            {"name": "valid_email", "field": "actor.email", "expression": "actor.email LIKE '%@%'"},
        ],
        enrichment=[
            {"name": "domain", "type": "STRING", "expression": "split_part(actor.email, '@', 2)"},
            {"name": "size", "type": "INT64", "expression": "length(domain) + n"},
            {"name": "when", "type": "TIMESTAMP", "expression": "at + INTERVAL 1 HOUR"},
        ],
    )
    assert result.verdicts() == {
        2: ("positive", "n"),
        3: ("valid_email", "actor.email"),
        4: ("positive", "n"),
    }
    assert (result.row(1)["domain"], result.row(1)["size"]) == ("b", 6)
    assert (result.row(5)["domain"], result.row(5)["size"]) == (None, None)
    assert result.row(1)["when"].isoformat() == "2021-07-21T07:10:00"


def test_no_event_time(hour: Hour) -> None:
    hour.gz("a.gz", [line(1, at="1999-01-01T00:00:00Z")])
    result = hour.refine(event_time=None)
    assert result.outcome["event_dates"] == ["2021-07-21"]
    assert result.row(1)["event_date"].isoformat() == "2021-07-21"
