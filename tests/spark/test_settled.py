"""Lines that a replay has settled: they stay in the quarantine whatever else holds of them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest
from refine_hour import Hour, column, line

from hg_spec import RefineError

ROOT = Path(__file__).parents[2]
NO_KEY = {"deduplication": None}


def test_a_replaced_line_does_not_count_even_where_it_is_accepted_now(hour: Hour) -> None:
    bad = line(2, n="x")
    first = hour.gz("a.json.gz", [line(1), bad, line(3), line(4)])
    again = hour.gz("hourglass-replay-2021072106-0123456789abcdef.json.gz", [line(2), line(3), line(9)])
    plain = hour.refine(**NO_KEY)
    assert plain.counts == {"lines": 7, "silver": 6, "quarantined": 1, "duplicates": 0}

    settled = {"replayed": {first.as_uri(): [2, 3]}, "replay_outdated": {again.as_uri(): [3]}}
    result = hour.refine(**NO_KEY, settled=settled)
    assert result.counts == {"lines": 7, "silver": 4, "quarantined": 3, "duplicates": 0}
    assert [(r["reason"], r["field"], r["source_line"]) for r in result.quarantine] == [
        ("wrong_type", "n", 2),
        ("replayed", None, 3),
        ("replay_outdated", None, 3),
    ]
    assert [place[1:] for place in result.places()] == [(1, "1"), (4, "4"), (1, "2"), (2, "3")]
    assert result.outcome["reasons"] == {"wrong_type": 1, "replayed": 1, "replay_outdated": 1}


def test_the_line_as_it_was_read_stays_in_csv_too(hour: Hour) -> None:
    hour.schema = [column("id", "STRING", "REQUIRED"), column("n", "INT64")]
    text = 'id,n\n"1",7\n2,\n"3\n3",8\n'
    first = hour.add("a.csv.gz", gzip.compress(text.encode()))
    result = hour.refine(
        **NO_KEY, format={"type": "csv", "compression": "gzip"}, event_time=None,
        settled={"replayed": {first.as_uri(): [1, 3]}},
    )  # fmt: skip
    assert [(r["source_line"], r["raw_line"]) for r in result.quarantine] == [(1, b'"1",7'), (3, b'"3\n3",8')]
    assert [r["id"] for r in result.silver] == ["2"]


def test_a_settled_line_that_is_not_there_fails_instead_of_counting_twice(hour: Hour) -> None:
    first = hour.gz("a.json.gz", [line(1), line(2)])
    with pytest.raises(RefineError, match=r"2 lines were replayed .* only 1 of them"):
        hour.refine(settled={"replayed": {first.as_uri(): [2, 3]}})


@pytest.fixture(scope="module")
def replays(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A replay object of every format, written by `quarantine replay`'s own code in its own environment."""
    folder = tmp_path_factory.mktemp("replays")
    script = Path(__file__).with_name("replay_objects.py")
    subprocess.run(
        [str(ROOT / ".venv" / "bin" / "python"), str(script), str(folder)],
        check=True, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT / "plugins")},
    )  # fmt: skip
    return {path.name.split(".")[1]: path for path in folder.iterdir()}


@pytest.mark.parametrize("form", ["json", "json_array", "csv", "parquet", "avro"])
def test_refine_reads_what_a_replay_writes(hour: Hour, replays: dict[str, Path], form: str) -> None:
    path = replays[form]
    hour.schema = [
        column("id", "STRING", "REQUIRED"),
        column("at", "TIMESTAMP", "REQUIRED"),
        column("amount", "NUMERIC"),
    ]
    if form != "csv":
        hour.schema += [column("body", "JSON"), column("actor", "RECORD", fields=[column("id", "INT64")])]
    uri = hour.add(path.name, path.read_bytes()).as_uri()
    result = hour.refine(
        **NO_KEY, format={"type": form, "compression": None}, settled={"replayed": {uri: [2]}}
    )
    assert result.counts == {"lines": 2, "silver": 1, "quarantined": 1, "duplicates": 0}
    row = result.row(1)
    assert str(row["amount"]) == "0.100000001"
    assert json.loads(row["unknown_fields"]) == {"more": "1"}
    if form != "csv":
        assert (json.loads(row["body"]), row["actor"]["id"]) == ({"x": [1]}, 7)
    assert [(r["reason"], r["source_line"]) for r in result.quarantine] == [("replayed", 2)]
