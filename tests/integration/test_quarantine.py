"""The commands for quarantined lines, on the local storage and BigQuery; what refine makes of it is tests/spark's."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import storage
from pyarrow import parquet
from stopped_hour import RUNNER, StoppedHour

from hourglass.cli.app import app
from hourglass.cloud.quarantine_actions import Actions, settled
from hourglass.operators.account import account

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
GOOD = b'{"id": "1", "type": "PushEvent"}'


@pytest.fixture
def stopped() -> Iterator[Callable[[str, str], StoppedHour]]:
    hours: list[StoppedHour] = []

    def make(source_id: str, key: str) -> StoppedHour:
        hours.append(StoppedHour.of(source_id, key))
        return hours[-1]

    yield make
    for hour in hours:
        hour.clear()


def test_a_repaired_line_lands_once_and_settles_the_one_it_replaces(
    stopped: Callable[[str, str], StoppedHour], monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = stopped("github", "2021-09-01T03")
    bad = b'{"id":2, "n":1.50, "type": "PushEvent", "repo": {"name": "no-owner"}}'
    uri = hour.land("events.json.gz", gzip.compress(b"\n".join([GOOD, bad, b"no json"])))
    manifest = hour.stop([(uri, 2, "pattern_repo_name", bad), (uri, 3, "not_json", b"no json")])
    assert hour.counts() == {"pattern_repo_name": (1, 0, 0), "not_json": (1, 0, 0)}
    assert settled(storage.Client(), hour.platform, manifest) == {}

    repair = [
        "--set",
        'repo.name=replace(`repo.name`, "no-", "no/")',
        "--why",
        "a producer's slip",
        "--no-run",
    ]
    said = hour.run("replay", *repair, "--dry-run", status=1)
    assert "would land 1 line" in said
    assert hour.replays() == {}
    with monkeypatch.context() as patch:  # killed between the object and the actions
        patch.setattr(Actions, "append", None)
        RUNNER.invoke(app, ["quarantine", "replay", "github", hour.partition.key, *repair])
    assert len(hour.replays()) == 1
    assert hour.counts()["pattern_repo_name"] == (1, 0, 0)
    said = hour.run("replay", *repair, status=1)
    assert "was landed before: 1 line" in said
    assert "1 line could not be repaired" in said
    assert "it is no JSON" in said
    ((replay, content),) = hour.replays().items()
    assert content == b'{"id":2,"n":1.50,"type":"PushEvent","repo":{"name":"no/owner"}}\n'
    assert hour.counts() == {"pattern_repo_name": (0, 1, 0), "not_json": (1, 0, 0)}
    blob = storage.Client().bucket(hour.source.bucket).get_blob(replay.split("/", 3)[3])
    assert blob.metadata["hourglass-why"] == "a producer's slip"

    # What a run makes of it: the original does not count, whatever the rules say by then.
    frozen = hour.stop([(uri, 2, "pattern_repo_name", bad), (uri, 3, "not_json", b"no json")])
    assert settled(storage.Client(), hour.platform, frozen) == {"replayed": {uri: [2]}}
    # Once more: the line is not open any longer.
    assert "nothing was landed" in hour.run("replay", *repair, status=1)
    assert list(hour.replays()) == [replay]

    # A replaced file is a new file: what was decided about the old one is void, and so is its replay.
    hour.land("events.json.gz", gzip.compress(b"\n".join([GOOD, bad])))
    assert "was replaced after it had been read" in hour.run("replay", *repair, status=1)
    frozen = hour.stop([(uri, 2, "pattern_repo_name", bad)])
    assert settled(storage.Client(), hour.platform, frozen) == {"replay_outdated": {replay: [1]}}
    assert hour.counts() == {"pattern_repo_name": (1, 0, 0)}


def test_discarded_lines_are_not_counted_by_the_gate(stopped: Callable[[str, str], StoppedHour]) -> None:
    hour = stopped("github", "2021-09-01T04")
    uri = hour.land("events.json.gz", gzip.compress(b"x\n" * 3))
    rows = [(uri, 1, "not_json", b"x"), (uri, 2, "not_json", b"x"), (uri, 3, "blank_line", b"\xff")]
    manifest = hour.stop(rows)
    limit = hour.source.file.monitoring.quarantine.model_copy(update={"rows": 1})
    monitoring = hour.source.file.monitoring.model_copy(update={"quarantine": limit})
    hour.source = replace(hour.source, file=hour.source.file.model_copy(update={"monitoring": monitoring}))
    outcome = hour.platform.uri("outcomes/github/2021-09-01T04/test.json")
    storage.Client().bucket(hour.platform.ops_bucket).blob(outcome.split("/", 3)[3]).upload_from_string(
        json.dumps({"manifest_hash": manifest.hash})
    )
    counts = {"lines": 3, "silver": 0, "quarantined": 3, "duplicates": 0}
    refined: dict[str, Any] = {"outcome": outcome, "counts": counts}
    with pytest.raises(Exception, match="3 of 3 lines") as failure:
        account(hour.source, hour.platform, hour.partition, refined)
    assert "not_json: 2 lines, first" in str(failure.value)
    assert "quarantine discard github 2021-09-01T04 --why" in str(failure.value)

    said = hour.run("discard", "--why", "w", "--reason", "other", "--no-run", status=1)
    assert "there are open lines of: blank_line, not_json" in said
    assert "discarded 2 lines" in hour.run("discard", "--why", "noise", "--reason", "not_json", "--no-run")
    assert hour.counts() == {"not_json": (0, 0, 2), "blank_line": (1, 0, 0)}
    assert account(hour.source, hour.platform, hour.partition, refined)["quarantine_rows"] == 3
    (shown,) = map(json.loads, hour.run("show", "--format", "json").splitlines())
    assert (shown["source_line"], shown["raw_base64"]) == (3, "/w==")
    assert len(hour.run("show", "--format", "json", "--all").splitlines()) == 3


def test_lines_that_a_new_rule_accepts_need_no_object(stopped: Callable[[str, str], StoppedHour]) -> None:
    hour = stopped("github", "2021-09-01T05")
    uri = hour.land("events.json.gz", gzip.compress(GOOD))
    hour.stop([(uri, 1, "pattern_repo_name", GOOD)])
    said = hour.run("replay", "--no-run")
    assert "no new object is needed" in said
    assert "airflow dags trigger github --conf" in said
    assert hour.replays() == {}
    assert hour.counts() == {"pattern_repo_name": (1, 0, 0)}


def test_dead_letters_land_as_messages(stopped: Callable[[str, str], StoppedHour]) -> None:
    hour = stopped("iot_sensors", "2021-09-01T03")
    letter = b'{"device_id": "d1"}'
    alive = hour.land("a.json", GOOD + b"\n")
    dead = hour.land("b.json", letter + b"\n", prefix=-1)
    hour.stop([(alive, 1, "missing_required", GOOD), (dead, 1, "dead_letter", letter)])
    hour.run("replay", "--reason", "dead_letter", "--no-run")
    ((uri, content),) = hour.replays().items()
    assert uri.startswith(f"gs://{hour.source.bucket}/{hour.source.prefixes(hour.partition)[1][0]}hourglass-")
    assert content == letter + b"\n"
    frozen = hour.stop([])
    assert settled(storage.Client(), hour.platform, frozen) == {"replayed": {dead: [1]}}
    assert [o.dead_letter for o in frozen.objects if "replay" in o.name] == [False]


def test_corrected_lines_come_from_a_file(stopped: Callable[[str, str], StoppedHour], tmp_path: Path) -> None:
    hour = stopped("github", "2021-09-01T06")
    uri = hour.land("events.json.gz", gzip.compress(b"{cut\n{cut"))
    hour.stop([(uri, 1, "not_json", b"{cut"), (uri, 2, "not_json", b"{cut")])
    entries = [json.loads(text) for text in hour.run("show", "--format", "json").splitlines()]
    entries[1]["raw_line"] = '{"id": "2"}'
    file = tmp_path / "corrected.jsonl"
    file.write_text(json.dumps(entries[1]) + "\n")
    hour.run("replay", "--from", str(file), "--no-run")
    assert list(hour.replays().values()) == [b'{"id": "2"}\n']
    frozen = hour.stop([(uri, 1, "not_json", b"{cut"), (uri, 2, "not_json", b"{cut")])
    assert settled(storage.Client(), hour.platform, frozen) == {"replayed": {uri: [2]}}
    assert "not open lines" in hour.run("replay", "--from", str(file), "--no-run", status=1)
    actions = Actions(hour.client, hour.platform, hour.source, hour.partition)
    ((row),) = actions.query(f"SELECT * FROM `{actions.table}` WHERE landing_hour = @landing_hour")
    assert (row["action"], row["source_line"], row["replay_line"]) == ("replayed", 2, 1)
    actions.append(row["digest"])  # as after a lost answer
    assert hour.counts() == {"not_json": (1, 1, 0)}
    hour.client.query_and_wait(f"DELETE FROM `{actions.table}` WHERE landing_hour = '2021-09-01 06:00:00+00'")
    assert hour.counts() == {"not_json": (2, 0, 0)}
    actions.append(row["digest"])  # from its file, though the first job's id is taken
    assert hour.counts() == {"not_json": (1, 1, 0)}


def test_csv_lines_keep_the_header_of_their_own_object(stopped: Callable[[str, str], StoppedHour]) -> None:
    hour = stopped("salesforce_exports", "2021-09-01T02")
    one = hour.land("one.csv", b"\xef\xbb\xbf\n" + b'Id,Amount\n1,"1,5"\n2,3\n')
    other = hour.land("other.csv", b"Amount,Id,More\n2.5,7\n")
    hour.stop([(one, 1, "wrong_type", b'1,"1,5"'), (other, 1, "malformed_csv", b"2.5,7")])
    repair = ["--set", "Amount=replace(Amount, ',', '')", "--no-run"]
    assert "it has 2 values, its object's header 3" in hour.run("replay", *repair, status=1)
    assert list(hour.replays().values()) == [b"Id,Amount\n1,15\n"]
    hour.run("replay", "--line", "line || ',x'", "--no-run")
    assert sorted(hour.replays().values()) == [b"Amount,Id,More\n2.5,7,x\n", b"Id,Amount\n1,15\n"]


def test_parquet_lines_become_rows_of_a_file(stopped: Callable[[str, str], StoppedHour]) -> None:
    hour = stopped("aws_data_lake", "2021-09-01T06")
    uri = hour.land("part.parquet", b"read by Spark alone")
    name = next(f.name for f in hour.source.schema.fields if f.type == "STRING")
    line = json.dumps({name: " a "}).encode()
    hour.stop([(uri, 1, "a_rule", line)])
    hour.run("replay", "--set", f"{name}=trim({name})", "--no-run")
    ((replay, content),) = hour.replays().items()
    assert replay.endswith(".parquet")
    assert [row[name] for row in parquet.read_table(io.BytesIO(content)).to_pylist()] == ["a"]
