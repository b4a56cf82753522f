"""Objects: damaged, empty, split, many at once; line numbers and duplicates across them."""

from __future__ import annotations

import gzip
import os
import random
import zlib
from typing import Any

import pytest
from refine_hour import Hour, line

from hg_spec import RefineError


def noise(number: int, size: int = 300) -> bytes:
    """A valid line that gzip cannot make much smaller, so that a cut lands inside the text."""
    return line(number, body={"noise": random.Random(number).randbytes(size).hex()})


def test_damaged_gzip(hour: Hour) -> None:
    """What can be read of a damaged object is; the rest is one quarantined line, and the hour goes on."""
    lines = [noise(i) for i in range(200)]
    whole = gzip.compress(b"".join(one + b"\n" for one in lines), 6)
    text = b"\n".join(lines) + b"\n"
    cut = whole[: len(whole) // 2]
    readable = zlib.decompressobj(31).decompress(cut)
    *complete, partial = readable.split(b"\n")
    assert 10 < len(complete) < 190

    hour.add("a-cut.gz", cut)
    hour.gz("b-sound.gz", [line(1000), b"bad", line(1001)])
    hour.add("c-checksum.gz", _with_wrong_checksum(line(2000) + b"\n" + line(2001) + b"\n"))
    hour.add("d-garbage.gz", gzip.compress(line(3000) + b"\n") + b"not gzip")
    hour.add("e-header.gz", gzip.compress(line(4000) + b"\n")[:5])
    hour.add("f-text.gz", line(5000) + b"\n")
    hour.add("g-middle.gz", _broken_in_the_middle(text))
    hour.add("h-members.gz", gzip.compress(line(6000) + b"\n") + gzip.compress(line(6001) + b"\n")[:-3])
    hour.add("i-padded.gz", gzip.compress(line(7000) + b"\n") + b"\0" * 512)
    result = hour.refine(deduplication=None)

    ids: dict[str, list[str]] = {}
    for name, _, number in result.places():
        ids.setdefault(name[0], []).append(number)
    damage = {
        r["source_object"].rpartition("/")[2][0]: (r["source_line"], bytes(r["raw_line"]))
        for r in result.quarantine
        if r["reason"] == "truncated_gzip"
    }
    assert sorted(ids["a"], key=int) == [str(i) for i in range(len(complete))]
    assert damage["a"] == (len(complete) + 1, partial)
    assert ids["b"] == ["1000", "1001"]
    assert (ids["c"], damage["c"]) == (["2000", "2001"], (3, b""))
    assert (ids["d"], damage["d"]) == (["3000"], (2, b""))
    assert damage["e"] == (1, b"")
    assert damage["f"] == (1, b"")
    # Behind the broken bytes gzip gives nonsense for a while: those lines are judged like any other.
    nonsense = [r for r in result.quarantine if "g-middle" in r["source_object"]]
    assert ids["g"][:50] == [str(i) for i in range(50)]
    assert len(ids["g"]) + len(nonsense) == damage["g"][0]
    assert (ids["h"], damage["h"]) == (["6000", "6001"], (3, b""))
    assert ids["i"] == ["7000"]
    assert sorted(damage) == ["a", "c", "d", "e", "f", "g", "h"]
    assert result.outcome["reasons"]["truncated_gzip"] == 7
    assert {r["source_line"] for r in result.quarantine if "b-sound" in r["source_object"]} == {2}
    assert result.counts["lines"] == len(result.silver) + len(result.quarantine)


def _with_wrong_checksum(text: bytes) -> bytes:
    data = bytearray(gzip.compress(text))
    data[-8] ^= 0xFF
    return bytes(data)


def _broken_in_the_middle(text: bytes) -> bytes:
    data = bytearray(gzip.compress(text, 6))
    half = len(data) // 2
    data[half : half + 64] = b"\xff" * 64
    return bytes(data)


def test_sound_oddities(hour: Hour) -> None:
    """Several members, no final line feed, a byte order mark, CRLF, nothing at all, odd names."""
    hour.add("a.gz", gzip.compress(line(1) + b"\n" + line(2)) + gzip.compress(b"\n" + line(3) + b"\n"))
    hour.add("b.json", b"\xef\xbb\xbf" + line(4) + b"\r\n" + line(5) + b"\r\n")
    hour.add("c.json.gz", gzip.compress(b"\xef\xbb\xbf" + line(6)))
    hour.add("d.json", line(7))
    hour.add("empty.json", b"")
    hour.add("empty.gz", b"")
    hour.add("empty-inside.gz", gzip.compress(b""))
    hour.add("n [1]{x}*?%41 b.json", line(8) + b"\n")
    hour.add("only-line-feeds.json", b"\n\n")
    result = hour.refine()
    assert result.places() == [
        ("a.gz", 1, "1"),
        ("a.gz", 2, "2"),
        ("a.gz", 3, "3"),
        ("b.json", 1, "4"),
        ("b.json", 2, "5"),
        ("c.json.gz", 1, "6"),
        ("d.json", 1, "7"),
        ("n [1]{x}*?%41 b.json", 1, "8"),
    ]
    assert result.outcome["reasons"] == {"blank_line": 2}
    assert result.counts["lines"] == 10


def test_only_the_manifests_objects_are_read(hour: Hour) -> None:
    hour.add("a.json", line(1) + b"\n")
    (hour.folder / "b.json").write_bytes(line(2) + b"\n")
    (hour.folder / "a.json.bak").write_bytes(line(3) + b"\n")
    assert [r["id"] for r in hour.refine().silver] == ["1"]


def test_an_empty_partition_has_an_outcome(hour: Hour) -> None:
    hour.gz("a.gz", [line(1), b"bad"])
    hour.refine()
    hour.objects.clear()
    result = hour.refine()
    assert result.counts == {"lines": 0, "silver": 0, "quarantined": 0, "duplicates": 0}
    assert (result.silver, result.quarantine) == ([], [])
    assert result.outcome["files"] == {"silver": [], "quarantine": []}
    assert result.outcome["event_dates"] == []
    assert all(result.outcome["snapshots"].values())


def test_first_by_object_then_line_stays(hour: Hour) -> None:
    hour.gz("b.gz", [line(1, n=20), line(2, n=21), line(1, n=22), line(3, n=23)])
    hour.gz("a.gz", [line(2, n="bad"), line(2, n=10), line(4, n=11), line(4, n=12), b"bad", b"bad"])
    hour.gz("c.gz", [line(1, n=30), line(2, n=31), line(3, n=32)])
    result = hour.refine()
    assert {r["id"]: r["n"] for r in result.silver} == {"1": 20, "2": 10, "3": 23, "4": 11}
    assert result.counts == {"lines": 13, "silver": 4, "quarantined": 3, "duplicates": 6}


def test_a_key_of_several_fields(hour: Hour) -> None:
    rows = [(1, 1), (1, 2), (1, 1), (2, 1), (1, None), (1, None)]
    hour.gz("a.gz", [line(i, n=n, actor={"id": a}) for i, (a, n) in enumerate(rows)])
    result = hour.refine(deduplication={"key": ["actor.id", "n"]})
    # An unknown part of a key makes no two rows equal.
    assert [r["id"] for r in result.silver] == ["0", "1", "3", "4", "5"]


def test_many_duplicated_keys_are_joined_not_held(hour: Hour, monkeypatch: pytest.MonkeyPatch) -> None:
    hour.gz("a.gz", [line(i % 50, n=i) for i in range(120)])
    few = hour.refine()
    monkeypatch.setattr("hg_rows.BROADCAST_KEYS", 3)
    many = hour.refine()
    assert many.silver == few.silver
    assert [r["n"] for r in many.silver] == list(range(50))
    assert many.counts["duplicates"] == 70


def test_any_split_gives_the_same_rows(hour: Hour, spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line numbers and the surviving duplicate do not depend on how Spark cuts the work."""
    rng = random.Random(7)
    for name in "abcdefg":
        rows = [
            noise(rng.randrange(400), rng.randrange(200)) if rng.random() < 0.9 else b"" for _ in range(150)
        ]
        content = b"\n".join(rows)
        if name in "aceg":
            hour.add(f"{name}.json", content)
        else:
            hour.add(f"{name}.json.gz", gzip.compress(content))
    conf = spark.conf
    seen = []
    for most, tasks in (("128m", "1"), ("16k", "3"), ("5k", "2")):
        with monkeypatch.context():
            conf.set("spark.sql.files.maxPartitionBytes", most)
            conf.set("spark.sql.files.openCostInBytes", "1k")
            conf.set("spark.sql.shuffle.partitions", tasks)
            result = hour.refine()
            seen.append((result.silver, result.quarantine, result.counts))
    for key in ("spark.sql.files.maxPartitionBytes", "spark.sql.files.openCostInBytes"):
        conf.unset(key)
    conf.set("spark.sql.shuffle.partitions", "2")
    assert seen[0] == seen[1] == seen[2]
    raw = {p.name: _lines(p.read_bytes()) for p in hour.objects}
    silver, quarantine, counts = seen[0]
    assert counts["lines"] == sum(len(found) for found in raw.values())
    for row in silver:
        text = raw[row["source_object"].rpartition("/")[2]][row["source_line"] - 1]
        assert b'"id":"%s"' % row["id"].encode() in text
    for row in quarantine:
        assert raw[row["source_object"].rpartition("/")[2]][row["source_line"] - 1] == bytes(row["raw_line"])
    assert counts["duplicates"] > 100


def _lines(content: bytes) -> list[bytes]:
    text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    found = text.split(b"\n")
    return found if found[-1] else found[:-1]


def test_a_replaced_object_stops_the_hour(hour: Hour) -> None:
    path = hour.gz("a.gz", [line(1)])
    spec = hour.spec()
    os.utime(path, (1, 1))
    with pytest.raises(RefineError, match=r"a\.gz was replaced .* clear the sense task: the next try senses"):
        hour.run(spec)
    assert hour.rows(spec["tables"]["silver"]) == []
    assert not (hour.folder / "outcome-1.json").exists()


def test_a_vanished_object_stops_the_hour(hour: Hour) -> None:
    hour.gz("a.gz", [line(1)])
    path = hour.gz("b.gz", [line(2)])
    spec = hour.spec()
    path.unlink()
    with pytest.raises(RefineError, match=r"b\.gz .* the next try senses a new manifest"):
        hour.run(spec)


def test_a_name_that_spark_would_skip_is_refused(hour: Hour) -> None:
    hour.gz("_a.gz", [line(1)])
    with pytest.raises(RefineError, match=r"_a\.gz"):
        hour.refine()


def test_compression_must_match_the_names(hour: Hour) -> None:
    hour.add("a.json", line(1))
    with pytest.raises(RefineError, match=r"compression gzip, but .*a\.json"):
        hour.refine(format={"type": "json", "compression": "gzip"})
