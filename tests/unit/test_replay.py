"""Replays: no line is lost and none counts twice; repairs of every format."""

from __future__ import annotations

import csv
import io
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hourglass.cli.quarantine import repair_of
from hourglass.cli.quarantine_scene import QuarantineError
from hourglass.cli.replay import read_corrections
from hourglass.cli.replay_columnar import Columnar, kinds_of
from hourglass.cli.replay_forms import Csv, Json, JsonArray, LineError
from hourglass.config.ingestion import CsvFormat
from hourglass.config.schema import SourceSchema
from hourglass.partition import Grain, Partition, SourceObject
from hourglass.partition.repair import RepairError, evaluate
from hourglass.partition.replay import (
    OUTDATED,
    REPLAYED,
    Place,
    ReplayedLine,
    created_in,
    digest_in,
    digest_of,
    object_name,
    settle,
)

HOUR = Partition(datetime(2021, 7, 21, 6, tzinfo=UTC), Grain.HOUR)
ORIGIN = "gs://b/a.json"


def counting(settled: dict[str, dict[str, list[int]]], lines: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The lines that are not settled."""
    gone = {(uri, n) for places in settled.values() for uri, numbers in places.items() for n in numbers}
    return [line for line in lines if line not in gone]


@st.composite
def replays(draw: st.DrawFn) -> tuple[dict[str, int], list[ReplayedLine]]:
    """An object of three lines, and replays of its lines and of replays' lines in any order of names."""
    generations, lines = {ORIGIN: 1}, []
    known: list[tuple[Place, ...]] = [(Place(ORIGIN, 1, n),) for n in (1, 2, 3)]
    names = draw(st.permutations([f"gs://b/r{n}" for n in range(6)]))
    for name in names[: draw(st.integers(0, 6))]:
        generations[name] = draw(st.integers(1, 3))
        for number in range(1, 1 + draw(st.integers(1, 3))):
            chain = draw(st.sampled_from(known))
            lines.append(ReplayedLine(name, number, chain))
        known += [
            (Place(name, generations[name], line.line), *line.origins)
            for line in lines
            if line.object == name
        ]
    return generations, lines


@given(replays(), st.randoms(use_true_random=False))
def test_of_a_line_and_its_replays_exactly_one_counts(
    found: tuple[dict[str, int], list[ReplayedLine]], shuffle: random.Random
) -> None:
    generations, lines = found
    settled = settle(generations, lines)
    for root in (1, 2, 3):
        tree = [(ORIGIN, root)] + [(r.object, r.line) for r in lines if r.origins[-1].line == root]
        assert len(counting(settled, tree)) == 1
    other = list(lines)
    shuffle.shuffle(other)
    assert settle(generations, other) == settled


@given(replays())
def test_replays_of_a_replaced_object_are_void(found: tuple[dict[str, int], list[ReplayedLine]]) -> None:
    generations, lines = found
    settled = settle({**generations, ORIGIN: 2}, lines)
    assert counting(settled, [(r.object, r.line) for r in lines]) == []
    assert counting(settled, [(ORIGIN, n) for n in (1, 2, 3)]) == [(ORIGIN, n) for n in (1, 2, 3)]
    assert REPLAYED not in settled


@given(replays(), st.integers(0, 5))
def test_without_a_replay_object_its_originals_count_again(
    found: tuple[dict[str, int], list[ReplayedLine]], number: int
) -> None:
    generations, lines = found
    gone = f"gs://b/r{number}"
    left = {uri: g for uri, g in generations.items() if uri != gone}
    settled = settle(left, [r for r in lines if r.object != gone])
    for root in (1, 2, 3):
        tree = [(ORIGIN, root)] + [
            (r.object, r.line) for r in lines if r.origins[-1].line == root and r.object != gone
        ]
        assert len(counting(settled, tree)) == 1


def test_names_tell_a_replay_and_its_partition() -> None:
    origins = [Place(ORIGIN, 1, 2)]
    digest = digest_of(HOUR, "gs://b/p/", origins, [b"x"])
    name = "p/" + object_name(HOUR, digest, ".json.gz")
    assert digest_in(name) == digest
    assert digest_in("p/events-0123456789abcdef.json") is None
    assert digest == digest_of(HOUR, "gs://b/p/", origins, [b"x"])
    others = [
        digest_of(HOUR, "gs://b/q/", origins, [b"x"]),
        digest_of(HOUR, "gs://b/p/", [Place(ORIGIN, 2, 2)], [b"x"]),
        digest_of(HOUR, "gs://b/p/", origins, [b"x", b""]),
        digest_of(HOUR, "gs://b/p/", origins, [b"y"]),
    ]
    assert len({digest, *others}) == 5
    later = datetime(2021, 7, 22, 9, tzinfo=UTC)
    next_hour = Partition(datetime(2021, 7, 21, 7, tzinfo=UTC), Grain.HOUR)
    replay = SourceObject(name, 1, 1, created=later)
    assert [created_in(replay, p) for p in (HOUR, next_hour)] == [True, False]
    assert created_in(SourceObject("p/a.json", 1, 1, created=HOUR.start), HOUR)
    assert not created_in(SourceObject("p/a.json", 1, 1, created=later), HOUR)
    assert settle({}, []) == {}
    assert {REPLAYED, OUTDATED} == {"replayed", "replay_outdated"}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('replace(amount, ",", "")', "1234.5"),
        ("replace(amount, ',', '')", "1234.5"),
        ("upper(`repo.name`)", "ADA"),
        ("n * 2", 4),
        ("CASE WHEN n > 1 THEN 'many' END", "many"),
        ("coalesce(nothing_here, 'x')", "x"),
        (r"regexp_replace(amount, '(\d),(\d+)', '\1_\2')", "1_234.5"),
        ("regexp_extract(amount, '([0-9]+),')", "1"),
        ("regexp_extract(amount, 'z')", None),
        ("'it''s \"quoted\"'", 'it\'s "quoted"'),
        ('"it\'s"', "it's"),
        ("NULL -- a remark", None),
    ],
)
def test_expressions(expression: str, value: Any) -> None:
    row = {"amount": "1,234.5", "repo.name": "ada", "n": 2}
    names = ["amount", "repo.name", "n", "nothing_here", "N"]
    assert evaluate([row, {}], {"--set x": expression}, names)[0] == (value,)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("amont", "no such column: amont.*the lines have amount"),
        ("random()", "not authorized.*functions that a repair may use"),
        ("(SELECT name FROM sqlite_master)", "prohibited|not authorized|no such"),
        ("upper(", "correct|write an SQL expression"),
        ("1; DROP TABLE the_lines", "syntax error"),
        ("load_extension('x')", "not authorized"),
        ("regexp_extract(amount, '(')", "raised exception"),
    ],
)
def test_a_wrong_expression_is_named(expression: str, said: str) -> None:
    with pytest.raises(RepairError, match=rf"--set x.*({said})"):
        evaluate([{"amount": "1"}], {"--set x": expression}, ["amount"])


JSON = Json(
    {"amount": "NUMERIC", "ok": "BOOL", "code": "STRING", "tags": "structured", "repo.name": "STRING"}
)


@pytest.mark.parametrize(
    ("line", "changes", "new"),
    [
        ('{"b":1.50,"amount":"1,5"}', {"amount": "1.50"}, '{"b":1.50,"amount":1.50}'),
        ('{"b":100000000000000000000001,"a":"é\\n"}', {"ok": "true"}, None),
        ('{"amount":1}', {"amount": "n/a"}, '{"amount":"n/a"}'),
        ('{"ok":"yes"}', {"ok": "false"}, '{"ok":false}'),
        ('{"ok":1}', {"ok": 1}, '{"ok":true}'),
        ('{"code":1}', {"code": 7}, '{"code":"7"}'),
        ('{"other":1}', {"other": 7.5}, '{"other":7.5}'),
        ('{"tags":"a"}', {"tags": '["a",1.0]'}, '{"tags":["a",1.0]}'),
        ('{"tags":"a"}', {"tags": "[broken"}, '{"tags":"[broken"}'),
        ('{"repo":null,"x":1}', {"repo.name": "a"}, '{"repo":{"name":"a"},"x":1}'),
        ('{"x":1,"y":2}', {"x": None, "z": None}, '{"y":2}'),
    ],
)
def test_a_changed_json_line_keeps_the_rest(line: str, changes: dict[str, Any], new: str | None) -> None:
    found = JSON.changed(line.encode(), changes).decode()
    assert found == (new or '{"b":100000000000000000000001,"a":"é\\n","ok":true}')
    assert JSON.content([found.encode()] * 2) == f"{found}\n{found}\n".encode()


def test_values_of_a_json_line() -> None:
    line = b'{"a":{"b":"x","c":[1.0,{"d":null}]},"n":7,"f":1.5,"t":true,"z":null}'
    assert JSON.values(line) == {
        "a.b": "x",
        "a.c": '[1.0,{"d":null}]',
        "a": '{"b":"x","c":[1.0,{"d":null}]}',
        "n": 7,
        "f": 1.5,
        "t": "true",
        "z": None,
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [(b"{cut", "no JSON"), (b"[1]", "no JSON object"), (b'{"a":NaN}', "NaN"), (b"\xff", "UTF-8")],
)
def test_lines_that_cannot_be_taken_apart(line: bytes, said: str) -> None:
    with pytest.raises(LineError, match=said):
        JSON.values(line)


def test_places_that_are_not_there() -> None:
    with pytest.raises(LineError, match="'a' is no record"):
        JSON.changed(b'{"a":1}', {"a.b": "x"})
    with pytest.raises(LineError, match="line break"):
        JSON.check(b'{"a":\n1}')
    with pytest.raises(LineError, match="no JSON"):
        JsonArray({}).check(b"{cut")
    assert json.loads(JsonArray({}).content([b'{"a":1}', b'{"a":\n2}'])) == [{"a": 1}, {"a": 2}]


CSV = Csv(CsvFormat(null_value="NA"), ("id", "amount", "note"))


def test_csv_lines() -> None:
    raw = b'7,NA,"a ""b"", c"'
    assert CSV.values(raw) == {"id": "7", "amount": None, "note": 'a "b", c'}
    changed = CSV.changed(raw, {"amount": 1.5, "id": None})
    assert list(csv.reader(io.StringIO(changed.decode()))) == [["NA", "1.5", 'a "b", c']]
    assert CSV.content([raw]).splitlines() == [b"id,amount,note", raw]
    assert Csv(CsvFormat(header=False), ("id",)).content([b"7"]) == b"7\n"
    with pytest.raises(LineError, match="has 2 values, its object's header 3"):
        CSV.check(b"1,2")
    with pytest.raises(LineError, match="no column 'total'"):
        CSV.changed(raw, {"total": "1"})
    with pytest.raises(LineError, match="--line"):
        CSV.check(b'1,"2')


SCHEMA = SourceSchema.model_validate(
    {
        "source_id": "crafted",
        "version": "1.0",
        "fields": [
            {"name": "id", "type": "STRING", "mode": "REQUIRED"},
            {"name": "n", "type": "INT64"},
            {"name": "amount", "type": "NUMERIC"},
            {"name": "at", "type": "TIMESTAMP"},
            {"name": "body", "type": "JSON"},
            {"name": "tags", "type": "STRING", "mode": "REPEATED"},
            {"name": "actor", "type": "RECORD", "fields": [{"name": "id", "type": "INT64"}]},
            {"name": "login", "type": "STRING", "source_path": "user.login"},
        ],
    }
)
RECORD = {
    "id": "a", "n": 7, "at": "2021-07-21T06:10:00Z", "body": {"x": [1]}, "tags": ["p", "q"], "actor": {"id": 3},
    "user": {"login": "ann"}, "more": 5, "extra": {"k": 1},
}  # fmt: skip


@pytest.mark.parametrize("form", ["parquet", "avro"])
def test_columnar_lines(form: str) -> None:
    kinds = kinds_of(SCHEMA, form)
    assert (kinds["user.login"], kinds["tags"], kinds["actor.id"]) == ("STRING", "structured", "INT64")
    columnar = Columnar(kinds, form, SCHEMA)
    line = json.dumps(RECORD).encode()[:-1] + b',"amount":0.100000001}'
    columnar.check(line)
    (row, other) = rows_of(form, columnar.content([line, b'{"id":"b","extra":"text"}']))
    assert (row["id"], row["n"], str(row["amount"]), row["tags"]) == ("a", 7, "0.100000001", ["p", "q"])
    assert row["at"] == datetime(2021, 7, 21, 6, 10, tzinfo=UTC)
    assert json.loads(row["body"]) == {"x": [1]}
    assert (row["actor"]["id"], row["user"]["login"], row["more"]) == (3, "ann", 5)
    assert (json.loads(row["extra"]), other["extra"], other["more"]) == ({"k": 1}, "text", None)


def rows_of(form: str, content: bytes) -> list[dict[str, Any]]:
    if form == "parquet":
        from pyarrow import parquet

        found: list[dict[str, Any]] = parquet.read_table(io.BytesIO(content)).to_pylist()
        return found
    import fastavro

    return list(fastavro.reader(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"n":"7"}', "its n is '7', which is no INT64"),
        ('{"n":1.5}', "no INT64"),
        ('{"n":true}', "no INT64"),
        ('{"n":9223372036854775808}', "no INT64"),
        ('{"amount":"1,5"}', "no NUMERIC"),
        ('{"at":"yesterday"}', "no TIMESTAMP"),
        ('{"tags":"p"}', "its tags is no list"),
        ('{"actor":5}', "its actor is no record"),
        ('{"actor":{"id":1,"x":2}}', "actor.x is in no column"),
        ('{"a b":1}', "'a b' can be no column"),
        ("[]", "no JSON object"),
    ],
)
def test_a_value_that_the_file_would_lose_is_refused(line: str, said: str) -> None:
    with pytest.raises(LineError, match=said):
        Columnar({}, "parquet", SCHEMA).check(line.encode())


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_text('{"source_object": "gs://b/a", "source_line": 1, "raw_line": "x"}\n\n{"a": 1}\n')
    with pytest.raises(QuarantineError, match=r"lines\.jsonl:3: KeyError: 'raw_line'"):
        read_corrections(file)
    with pytest.raises(QuarantineError, match="leave out --set"):
        repair_of(["a=1"], None, None, file)
    with pytest.raises(QuarantineError, match="is no FIELD=EXPRESSION"):
        repair_of(["amount"], None, None, None)
    repair = repair_of(["`repo.name` = a || '='"], None, "latin-1", None)
    assert repair.sets == {"repo.name": "a || '='"}
    assert str(repair) == "--encoding latin-1; --set repo.name=a || '='"
