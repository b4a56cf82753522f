"""The commands for quarantined lines, on the local storage and BigQuery; what refine makes of it is tests/spark's."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.cloud import bigquery, storage
from typer.testing import CliRunner

from hourglass.cli.app import app
from hourglass.cloud import bigquery as bq
from hourglass.cloud.quarantine_actions import Actions, settled
from hourglass.config import Platform
from hourglass.config.loader import load_source
from hourglass.config.source import Source
from hourglass.ledger import LedgerRow
from hourglass.ledger.store import append
from hourglass.operators.account import account
from hourglass.operators.sense import look, where_of
from hourglass.partition import Manifest, Partition

pytestmark = [pytest.mark.cloud, pytest.mark.usefixtures("cloud")]
RUNNER = CliRunner()
GOOD = b'{"id": "1", "type": "PushEvent"}'


@dataclass
class Hour:
    """A partition that the gate stopped, without Spark: its files, manifest, candidate and ledger row."""

    source: Source
    partition: Partition
    platform: Platform
    client: bigquery.Client
    attempts: int = 0

    def land(self, name: str, content: bytes, prefix: int = 0) -> str:
        bucket, prefixes = self.source.prefixes(self.partition)
        storage.Client().bucket(bucket).blob(prefixes[prefix] + name).upload_from_string(content)
        return f"gs://{bucket}/{prefixes[prefix]}{name}"

    def stop(self, rows: list[tuple[str, int, str, bytes]]) -> Manifest:
        """Freeze what is there, and quarantine (object, line, reason, raw line)."""
        where = where_of(self.source, self.platform, self.partition, "google_cloud_default")
        found = look(where, datetime.now(tz=UTC).replace(year=2099))[1]
        flow = bq.flows(self.source)["quarantine"]
        for one in bq.flows(self.source).values():
            bq.create_candidate(self.client, self.platform, self.source, one, self.partition)
        table = flow.candidate(self.platform, self.source, self.partition)
        for uri, line, reason, raw in rows:
            config = bigquery.QueryJobConfig(
                query_parameters=[
                    bigquery.ScalarQueryParameter("uri", "STRING", uri),
                    bigquery.ScalarQueryParameter("line", "INT64", line),
                    bigquery.ScalarQueryParameter("reason", "STRING", reason),
                    bigquery.ScalarQueryParameter("raw", "BYTES", raw),
                    bigquery.ScalarQueryParameter("at", "TIMESTAMP", self.partition.start),
                ]
            )
            self.client.query_and_wait(
                f"INSERT INTO `{table}` (source_object, source_line, reason, raw_line, landing_hour) "
                "VALUES (@uri, @line, @reason, @raw, @at)",
                job_config=config,
            )
        self.attempts += 1
        append(
            self.client, self.platform,
            LedgerRow(
                source=self.source.id, partition=self.partition.key, landing_hour=self.partition.start, grain="hour",
                state="failed", failed_stage="gate", run_id="quarantine", attempt=self.attempts,
                recorded_at=datetime.now(tz=UTC), manifest_hash=found["hash"],
            ),
        )  # fmt: skip
        return self.manifest(found["uri"])

    def manifest(self, uri: str) -> Manifest:
        bucket, _, name = uri.removeprefix("gs://").partition("/")
        return Manifest.from_json(storage.Client().bucket(bucket).blob(name).download_as_text())

    def run(self, command: str, *options: str, status: int = 0) -> str:
        done = RUNNER.invoke(app, ["quarantine", command, self.source.id, self.partition.key, *options])
        assert done.exit_code == status, (done.output, done.exception)
        return done.output

    def counts(self) -> dict[str, tuple[int, int, int]]:
        """(open, replayed, discarded) by reason."""
        done = RUNNER.invoke(
            app, ["quarantine", "list", self.source.id, self.partition.key, "--format", "json"]
        )
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return {
            r["reason"]: (r["open_count"], r["replayed_count"], r["discarded_count"])
            for r in json.loads(done.stdout)
        }

    def replays(self) -> dict[str, bytes]:
        """The partition's replay objects, unpacked."""
        bucket, prefixes = self.source.prefixes(self.partition)
        found = {}
        for prefix in prefixes:
            for blob in storage.Client().list_blobs(bucket, prefix=f"{prefix}hourglass-replay-"):
                content = blob.download_as_bytes(raw_download=True)
                found[f"gs://{bucket}/{blob.name}"] = (
                    gzip.decompress(content) if blob.name.endswith(".gz") else content
                )
        return found


@pytest.fixture
def stopped() -> Iterator[Callable[[str, str], Hour]]:
    hours: list[Hour] = []

    def make(source_id: str, key: str) -> Hour:
        platform = Platform.from_env()
        source = load_source(source_id)
        client = bigquery.Client(project=platform.project, location=platform.location)
        hours.append(Hour(source, Partition.parse(key, source.grain), platform, client))
        return hours[-1]

    yield make
    for hour in hours:
        bucket, prefixes = hour.source.prefixes(hour.partition)
        for prefix in prefixes:
            for blob in storage.Client().list_blobs(bucket, prefix=prefix):
                blob.delete()


def test_a_repaired_line_lands_once_and_settles_the_one_it_replaces(
    stopped: Callable[[str, str], Hour], monkeypatch: pytest.MonkeyPatch
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


def test_discarded_lines_are_not_counted_by_the_gate(stopped: Callable[[str, str], Hour]) -> None:
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

    assert "nothing was discarded" in hour.run("discard", "--why", "w", "--reason", "other", "--no-run")
    assert "discarded 2 lines" in hour.run("discard", "--why", "noise", "--reason", "not_json", "--no-run")
    assert hour.counts() == {"not_json": (0, 0, 2), "blank_line": (1, 0, 0)}
    assert account(hour.source, hour.platform, hour.partition, refined)["quarantine_rows"] == 3
    (shown,) = map(json.loads, hour.run("show", "--format", "json").splitlines())
    assert (shown["source_line"], shown["raw_base64"]) == (3, "/w==")
    assert len(hour.run("show", "--format", "json", "--all").splitlines()) == 3


def test_lines_that_a_new_rule_accepts_need_no_object(stopped: Callable[[str, str], Hour]) -> None:
    hour = stopped("github", "2021-09-01T05")
    uri = hour.land("events.json.gz", gzip.compress(GOOD))
    hour.stop([(uri, 1, "pattern_repo_name", GOOD)])
    said = hour.run("replay", "--no-run")
    assert "no new object is needed" in said
    assert "airflow dags trigger github --conf" in said
    assert hour.replays() == {}
    assert hour.counts() == {"pattern_repo_name": (1, 0, 0)}


def test_dead_letters_land_as_messages(stopped: Callable[[str, str], Hour]) -> None:
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


def test_corrected_lines_come_from_a_file(stopped: Callable[[str, str], Hour], tmp_path: Path) -> None:
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
