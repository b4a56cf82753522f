"""Law 1 as a property: whatever the lines, every one is accounted for, exactly as plain Python says."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import oracle
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from refine_hour import Hour

TEXTS = st.text(max_size=6) | st.sampled_from(
    ["", "{", '{"a":1}', "[", "5", 'q"uote', '":', "\\", "null", "é🕰"]
)
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**64), 2**64),
    st.integers(-3, 3),
    TEXTS,
    st.just([]),
    st.just({}),
    st.just({"k": [1, "x"]}),
)
TIMES = st.sampled_from(
    [
        "2021-07-21T06:10:00Z",
        "2021-07-21 06:10:00",
        "2021-07-21T06:10:00.5+02:00",
        "2021-07-20T06:00:00Z",
        1626847200,
    ]
)
BAD_TIMES = st.sampled_from(
    [
        "2021-07-20T05:59:59Z",
        "2021-07-21T07:05:00Z",
        "2025-13-02T00:00:00Z",
        "06:10",
        "soon",
        253402300800,
        10**15,
    ]
)


def mostly(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A good value nineteen times of twenty."""
    return st.integers(0, 19).flatmap(lambda n: ODD if n == 19 else good)


DETAIL = st.fixed_dictionaries({"q": mostly(st.integers(0, 9))}, optional={"extra": ODD})
ITEM = st.fixed_dictionaries({"sku": mostly(TEXTS)}, optional={"detail": DETAIL, "colour": ODD})
ACTOR = st.fixed_dictionaries({"id": mostly(st.integers(0, 9))}, optional={"email": TEXTS, "nick": ODD})
EVENTS = st.fixed_dictionaries(
    {
        "id": mostly(st.integers(0, 2000).map(str)),
        "at": mostly(TIMES) | TIMES | st.one_of(TIMES, TIMES, BAD_TIMES),
    },
    optional={
        "n": mostly(st.integers(-105, 100)),
        "x": mostly(st.integers(-9, 9) | st.just(1.5)),
        "amount": mostly(st.sampled_from([1, 2.25, -3])),
        "ok": mostly(st.booleans()),
        "day": mostly(st.just("2021-07-21")),
        "blob": mostly(st.sampled_from(["aGk=", ""])),
        "body": ODD,
        "actor": mostly(ACTOR),
        "items": mostly(st.lists(ITEM, max_size=2)),
        "tags": mostly(st.lists(TEXTS, max_size=2)),
        "new": ODD,
    },
)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A line: an event, or one with something done to its bytes, or no event at all."""
    compact = draw(st.booleans())
    text = json.dumps(
        draw(EVENTS),
        ensure_ascii=draw(st.booleans()),
        separators=(",", ":") if compact else None,
    ).encode("utf-8", "replace")
    what = 30 - draw(st.integers(0, 30))
    if what == 0:
        return text[: draw(st.integers(0, len(text)))]
    if what == 1:
        at = draw(st.integers(0, len(text)))
        return (
            text[:at] + draw(st.sampled_from([b"\xff", b"\xc3", b"\x00", b"\t", b"}", b" NaN "])) + text[at:]
        )
    if what == 2:
        return text + draw(st.sampled_from([b",", b" x", b"{}", b"]", text, b" ", b"\r", b"\t "]))
    if what == 3:
        return draw(
            st.sampled_from([b"", b" ", b"\r", b"null", b"5", b"[]", b'"x"', b"x", b"5 6", b"[1] x", b"{}"])
        )
    return text


def drawn(number: int) -> list[bytes]:
    """Many lines for one Spark run: one run for each line would take a day."""
    return [line.replace(b"\n", b" ") for line in drawn_from(lines(), number)]


def drawn_from(strategy: st.SearchStrategy[Any], number: int) -> list[Any]:
    """Examples of a strategy, the same ones every time."""
    found: list[Any] = []

    @settings(max_examples=number, deadline=None, database=None, derandomize=True, phases=[Phase.generate])
    @given(one=strategy)
    def collect(one: Any) -> None:
        found.append(one)

    collect()
    return found


@pytest.fixture(scope="module")
def many() -> list[bytes]:
    return drawn(2500)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_line_is_accounted_for(hour: Hour, many: list[bytes], seed: int) -> None:
    rng = random.Random(seed)
    objects: dict[str, list[bytes]] = {name: [] for name in ("a.json.gz", "b.json.gz", "c.json", "d.json")}
    for line in rng.sample(many, len(many)):
        objects[rng.choice(list(objects))].append(line)
    for name, content in objects.items():
        if name.endswith(".gz"):
            hour.gz(name, content)
        else:
            hour.add(name, b"".join(one + b"\n" for one in content))
    rules = [{"name": "n_above_minus_100", "field": "n", "expression": "n > -100"}]
    result = hour.refine(rules=rules)
    expected = oracle.refine(objects)
    assert len({reason for reason, _ in expected.quarantine.values()}) == 8, "the lines are not mixed enough"
    assert min(expected.duplicates, len(expected.silver), len(expected.unknown_json)) > 20

    def place(row: dict[str, Any]) -> tuple[str, int]:
        return Path(row["source_object"]).name, row["source_line"]

    quarantine = {place(r): (r["reason"], bytes(r["raw_line"])) for r in result.quarantine}
    assert quarantine == expected.quarantine
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
