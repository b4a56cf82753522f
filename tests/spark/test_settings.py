"""What a source's settings make of its rows: source paths, warnings, pii, dead letters, permissive validation."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from refine_hour import Hour, column, line

from hg_spec import RefineError


def at(name: str, kind: str, path: str, mode: str = "NULLABLE") -> dict[str, Any]:
    return column(name, kind, mode) | {"source_path": path}


def lines(*rows: dict[str, Any]) -> list[bytes]:
    return [json.dumps(row).encode() for row in rows]


TIME = "2021-07-21T06:10:00Z"


def test_source_paths(hour: Hour) -> None:
    """A field may have another name in the data, or be deep inside of it."""
    hour.schema = [
        at("id", "STRING", "Id", "REQUIRED"),
        at("at", "TIMESTAMP", "meta.created.at", "REQUIRED"),
        at("n", "INT64", "meta.n"),
        at("label", "STRING", "Account Name"),
        at("body", "JSON", "meta.body"),
        column("items", "RECORD", "REPEATED", [at("sku", "STRING", "SKU"), column("n", "INT64")]),
        at("own", "RECORD", "meta.own") | {"fields": [at("key", "STRING", "Key")]},
    ]
    meta = {"created": {"at": TIME}, "n": 7, "body": "text", "extra": 1, "own": {"Key": "k", "z": 0}}
    good = {
        "Id": "1",
        "meta": meta,
        "Account Name": "a",
        "items": [{"SKU": "s", "n": 1, "sku": 2}],
        "id": "x",
    }
    hour.gz(
        "a.gz",
        lines(
            good,
            good | {"Id": "2", "meta": meta | {"n": "seven"}},
            good | {"Id": "3", "meta": {"n": 1}},
            good | {"Id": "4", "meta": "none"},
            good | {"Id": "5", "Account Name": {"a": 1}},
            good | {"Id": "6", "meta": {"created": {"at": TIME}}, "Account Name": '{"a":1}'},
        ),
    )
    result = hour.refine()
    row = result.row(1)
    assert (row["n"], row["label"], row["body"]) == (7, "a", '"text"')
    assert (row["items"], row["own"]) == ([{"sku": "s", "n": 1}], {"key": "k"})
    assert row["at"].isoformat() == "2021-07-21T06:10:00"
    assert json.loads(row["unknown_fields"]) == {
        "id": "x",
        "items": [{"sku": 2}],
        "meta": {"extra": 1, "own": {"z": 0}},
    }
    assert set(result.outcome["unknown_fields"]) == {"id", "items.sku", "meta.extra", "meta.own.z"}
    assert result.verdicts() == {
        2: ("wrong_type", "n"),
        3: ("missing_required", "at"),
        4: ("wrong_type", "at"),
        5: ("wrong_type", "label"),
    }
    assert (result.row(6)["label"], result.row(6)["own"]) == ('{"a":1}', None)


def test_a_record_shares_its_place_with_a_field(hour: Hour) -> None:
    hour.schema += [at("actor_name", "STRING", "actor.name"), at("other", "INT64", "n2")]
    hour.gz("a.gz", [line(1, actor={"id": 1, "name": "bo"}, n2=5)])
    row = hour.refine().row(1)
    assert (row["actor"], row["actor_name"]) == ({"id": 1, "email": None}, "bo")
    assert (row["other"], row["unknown_fields"]) == (5, None)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (at("m", "INT64", "n"), r"two fields of the schema read n in the data"),
        (at("m", "INT64", "body.m"), r"two fields of the schema read body in the data"),
        (at("m", "INT64", "items.m"), r"two fields of the schema read items in the data"),
        (at("m", "INT64", "N"), r"reads both n and N in the data"),
    ],
)
def test_source_paths_that_meet(hour: Hour, field: dict[str, Any], message: str) -> None:
    hour.schema.append(field)
    hour.gz("a.gz", [line(1)])
    with pytest.raises(RefineError, match=message):
        hour.refine()


def test_a_warning_keeps_the_row(hour: Hour) -> None:
    hour.gz("a.gz", [line(1, n=5), line(2, n=-1), line(3, n=50), line(3, n=50), line(4, n=None), b"bad"])
    result = hour.refine(
        rules=[
            {"name": "positive", "field": "n", "expression": "n > 0", "severity": "critical"},
            {"name": "small", "field": "n", "expression": "n < 10 -- or so", "severity": "warning"},
            {"name": "tiny", "field": "n", "expression": "n < 5", "severity": "warning"},
            {"name": "quiet", "field": "n", "expression": "n < 500", "severity": "warning"},
        ]
    )
    assert result.counts == {"lines": 6, "silver": 3, "quarantined": 2, "duplicates": 1}
    assert result.outcome["warnings"] == {"small": 1, "tiny": 2}
    assert result.outcome["reasons"] == {"positive": 1, "not_json": 1}


def test_pii(hour: Hour) -> None:
    """Rules, keys and enrichments see the plain values; silver does not hold them, the quarantine does."""
    hour.schema.append(
        column("people", "RECORD", "REPEATED", [column("mail", "STRING"), column("n", "INT64")])
    )
    hour.gz(
        "a.gz",
        [
            line("é1", actor={"id": 1, "email": "bo@example.org"}, tags=["a", "b"], blob="aGk="),
            line("é1", actor={"id": 1, "email": "bo@example.org"}),
            line("3", actor={"id": 1, "email": "a @b"}, people=[{"mail": "x@y.z", "n": 1}, {}]),
            line("4", actor=None),
            line("5", actor={"id": 1, "email": "nobody"}),
        ],
    )
    methods = {
        "id": "hash", "actor.email": "mask", "tags": "hash", "blob": "drop", "people.mail": "mask", "body": "drop",
        "domain": "hash",
    }  # fmt: skip
    result = hour.refine(
        pii=[{"field": f, "method": m} for f, m in methods.items()],
        rules=[{"name": "address", "field": "actor.email", "expression": "actor.email LIKE '%@%'"}],
        enrichment=[{"name": "domain", "type": "STRING", "expression": "split_part(actor.email, '@', 2)"}],
    )
    sha = lambda text: hashlib.sha256(text.encode()).hexdigest()  # noqa: E731
    first, third, fourth = result.silver
    assert (first["id"], third["id"], fourth["id"]) == (sha("é1"), sha("3"), sha("4"))
    assert first["actor"] == {"id": 1, "email": "***@example.org"}
    assert (third["actor"]["email"], fourth["actor"]) == ("***", None)
    assert (first["tags"], first["blob"], first["domain"]) == ([sha("a"), sha("b")], None, sha("example.org"))
    assert third["people"] == [{"mail": "***@y.z", "n": 1}, {"mail": None, "n": None}]
    assert result.counts["duplicates"] == 1
    assert b"nobody" in bytes(result.quarantine[0]["raw_line"])


@pytest.mark.parametrize(
    ("field", "method", "message"),
    [
        ("n", "hash", r"pii hash of n: the field is INT64.*use drop"),
        ("nobody", "drop", r"no such field"),
        ("id", "burn", r"none of hash, mask, drop"),
    ],
)
def test_impossible_pii(hour: Hour, field: str, method: str, message: str) -> None:
    hour.gz("a.gz", [line(1)])
    with pytest.raises(RefineError, match=message):
        hour.refine(pii=[{"field": field, "method": method}])


def test_dead_letters(hour: Hour) -> None:
    hour.gz("a.gz", [line(1), b"bad"])
    hour.add("dead.json", line(2) + b"\nnot json\n\n")
    whole = hour.gz("dead.json.gz", [line(3), line(4)])
    whole.write_bytes(whole.read_bytes()[:-4])
    spec = hour.spec()
    for one in spec["manifest"]["objects"]:
        one["dead_letter"] = "/dead.json" in one["uri"]
    result = hour.run(spec)
    assert result.counts == {"lines": 8, "silver": 1, "quarantined": 7, "duplicates": 0}
    assert result.outcome["reasons"] == {"not_json": 1, "dead_letter": 5, "truncated_gzip": 1}
    dead = [bytes(r["raw_line"]) for r in result.quarantine if r["source_object"].endswith("dead.json")]
    assert dead == [line(2), b"not json", b""]


PERMISSIVE: list[tuple[bytes, dict[str, Any] | None, set[str]]] = [
    (line(0), None, set()),
    (line(1, n="seven", new=1.10), {"n": "seven", "new": 1.1}, {"n"}),
    (line(2, n=1.5, ok="yes", day="2025-13-02"), {"n": 1.5, "ok": "yes", "day": "2025-13-02"}, {"n", "ok", "day"}),
    (line(3, actor="bob"), {"actor": "bob"}, {"actor"}),
    (line(4, actor={"id": 1, "email": [1]}), {"actor": {"email": [1]}}, {"actor.email"}),
    (line(5, tags="a"), {"tags": "a"}, {"tags"}),
    (line(6, tags={"a": 1}), {"tags": {"a": 1}}, {"tags"}),
    (line(7, items=[{"sku": "a", "detail": 5}, {"sku": "b"}]), {"items": [{"detail": 5}, {}]}, {"items.detail"}),
    (line(8, body=...).replace(b"}", b',"body":[1e400]}'), {"body": [float("inf")]}, {"body"}),
    (line(9, x="1.5", amount=10**30), {"x": "1.5", "amount": 10**30}, {"x", "amount"}),
]  # fmt: skip
STILL_BAD: list[tuple[bytes, str, str | None]] = [
    (line(1, at="yesterday", n="x"), "wrong_type", "at"),
    (line(1, id=[1], n="x"), "wrong_type", "id"),
    (line(1, items=[{"sku": "a", "detail": {"q": "x"}}], n="x"), "wrong_type", "n"),
    (b"5", "wrong_type", None),
    (line(1, n="x", tags=[None]), "missing_required", "tags"),
    (line(1, n="x", amount=-5), "positive", "amount"),
    (b"bad", "not_json", None),
]


def test_permissive(hour: Hour) -> None:
    """What does not fit a NULLABLE field becomes NULL and is kept aside; nothing else is forgiven."""
    hour.gz("a.gz", [*(one[0] for one in PERMISSIVE), *(one[0] for one in STILL_BAD), line(1, n="twice")])
    result = hour.refine(
        validation="permissive",
        rules=[{"name": "positive", "field": "amount", "expression": "amount > 0"}],
    )
    for number, (_, kept, names) in enumerate(PERMISSIVE):
        row = result.row(number)
        assert (json.loads(row["unknown_fields"]) if row["unknown_fields"] else None) == kept
        assert all(row[name] is None for name in names if "." not in name)
    assert result.row(7)["items"] == [{"sku": "a", "detail": None}, {"sku": "b", "detail": None}]
    first = len(PERMISSIVE) + 1
    found = {r["source_line"]: (bytes(r["raw_line"]), r["reason"], r["field"]) for r in result.quarantine}
    assert found == {first + i: bad for i, bad in enumerate(STILL_BAD)}
    nulled = {
        "n": 2,
        "ok": 1,
        "day": 1,
        "actor": 1,
        "actor.email": 1,
        "tags": 2,
        "items.detail": 1,
        "body": 1,
    }
    assert result.outcome["nulled"] == nulled | {"x": 1, "amount": 1}
    assert result.outcome["unknown_fields"] == {"new": 1}
    assert result.counts["duplicates"] == 1


def test_permissive_keeps_no_pii_aside(hour: Hour) -> None:
    hour.gz("a.gz", [line(1, actor={"id": 1, "email": ["bo@example.org"]}, n="x")])
    row = hour.refine(validation="permissive", pii=[{"field": "actor.email", "method": "hash"}]).row(1)
    assert (row["unknown_fields"], row["actor"]) == ('{"n":"x"}', {"id": 1, "email": None})


def test_permissive_with_source_paths(hour: Hour) -> None:
    hour.schema = [
        column("id", "STRING", "REQUIRED"),
        column("at", "TIMESTAMP", "REQUIRED"),
        at("n", "INT64", "a.b.n"),
        at("m", "INT64", "a.m"),
    ]
    rows = [{"a": {"b": {"n": "x"}, "m": 2}}, {"a": 5}, {"a": {"b": []}}]
    hour.gz("a.gz", lines(*[{"id": str(i), "at": TIME} | row for i, row in enumerate(rows)]))
    result = hour.refine(validation="permissive")
    assert [(r["n"], r["m"]) for r in result.silver] == [(None, 2), (None, None), (None, None)]
    kept = [json.loads(r["unknown_fields"]) for r in result.silver]
    assert kept == [{"a": {"b": {"n": "x"}}}, {"a": 5}, {"a": {"b": []}}]
    assert result.outcome["nulled"] == {"n": 3, "m": 1}
